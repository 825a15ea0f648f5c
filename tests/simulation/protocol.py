"""Requests of Kafka's protocol that a transactional producer makes, and what the broker answers."""

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from aiokafka.errors import KafkaError
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import (
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
)
from aiokafka.record.default_records import DefaultRecordBatch

from app.kafka.fetched import Partition
from tests.simulation.broker import Entry, Epoch, Kafka

_NO_ERROR = 0


def answered(kafka: Kafka, request: Any) -> SimpleNamespace:  # noqa: ANN401 (aiokafka's requests have no types)
    """The response to a request, with an error code where the broker refuses."""
    id_ = request._transactional_id
    match request:
        case InitProducerIdRequest():
            return _begun(kafka, id_)
        case ProduceRequest():
            return _produced(kafka, request)
    epoch = Epoch(request._producer_id, request._producer_epoch)
    match request:
        case AddPartitionsToTxnRequest():
            topics = _partitions(request._topics)
            return _for_each(topics, lambda: kafka.add_partitions(id_, epoch, topics))
        case EndTxnRequest():
            return SimpleNamespace(error_code=_code(lambda: kafka.commit(id_, epoch)))
    raise TypeError(f"this broker does not know {request}")


def described(request: Any) -> str:  # noqa: ANN401 (aiokafka's requests have no types)
    """A request in words."""
    what: object = ""
    if isinstance(request, ProduceRequest):
        what = [(topic, number) for topic, own in request._topics for number, _ in own]
    elif isinstance(request, AddPartitionsToTxnRequest):
        what = request._topics
    return f"{request._transactional_id} {type(request).__name__.removesuffix('Request')} {what}"


def entries_of(batch: bytes) -> list[Entry]:
    """The records of a batch."""
    return [Entry(each.key, each.value, each.headers) for each in DefaultRecordBatch(batch)]


def _begun(kafka: Kafka, transactional_id: str) -> SimpleNamespace:
    try:
        epoch = kafka.begin(transactional_id)
    except KafkaError as error:
        return SimpleNamespace(error_code=error.errno, producer_id=-1, producer_epoch=-1)
    return SimpleNamespace(error_code=_NO_ERROR, producer_id=epoch.producer_id, producer_epoch=epoch.number)


def _produced(kafka: Kafka, request: Any) -> SimpleNamespace:  # noqa: ANN401 (aiokafka's requests have no types)
    answers = []
    for topic, batches in request._topics:
        found = []
        for partition, batch in batches:
            base = -1

            def write(tp: Partition = (topic, partition), batch: bytes = batch) -> None:
                nonlocal base
                read = DefaultRecordBatch(batch)
                epoch = Epoch(read.producer_id, read.producer_epoch)
                base = kafka.write_in_transaction(
                    request._transactional_id, epoch, read.base_sequence, tp, entries_of(batch)
                )

            found.append((partition, _code(write), base))
        answers.append((topic, found))
    return SimpleNamespace(topics=answers)


def _partitions(topics: Iterable[tuple[str, list[int]]]) -> list[Partition]:
    return [(topic, number) for topic, numbers in topics for number in numbers]


def _for_each(partitions: Iterable[Partition], effect: Callable[[], None]) -> SimpleNamespace:
    code = _code(effect)
    return SimpleNamespace(errors=[(topic, [(number, code)]) for topic, number in partitions])


def _code(effect: Callable[[], None]) -> int:
    try:
        effect()
    except KafkaError as error:
        return int(error.errno)
    return _NO_ERROR
