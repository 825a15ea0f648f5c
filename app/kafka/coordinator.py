"""The broker's side of a transactional id (KIP-98): what is asked of its coordinators, until they answer.

aiokafka's producer makes these requests from a task of its own, with pauses between transactions. Here they are plain
calls.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, groupby
from typing import Any

from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.errors import (
    ConcurrentTransactions,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    KafkaError,
    NoError,
    NotCoordinatorError,
    OperationNotAttempted,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.transaction import (
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
)

from app.kafka.fetched import Partition

_COMMIT = True
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.001, 0.1
_TRANSIENT = (
    ConcurrentTransactions,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    NotCoordinatorError,
    UnknownTopicOrPartitionError,
)


@dataclass(frozen=True, slots=True)
class Epoch:
    """What a producer proves with that no later one of its id has started."""

    producer_id: int
    number: int


def pauses() -> Iterator[float]:
    """Seconds to wait before each repetition: a transaction's markers take a millisecond, a restart takes seconds."""
    for attempt in count():
        yield min(_FIRST_PAUSE_S * 2**attempt, _LONGEST_PAUSE_S)


def by_topic(partitions: Iterable[Partition]) -> list[tuple[str, list[int]]]:
    """Partition numbers by topic."""
    return [(topic, [tp[1] for tp in own]) for topic, own in groupby(sorted(partitions), lambda tp: tp[0])]


class TransactionCoordinator:
    """Asks for one transactional id.

    Every method raises what the broker said and no repetition mends, or the last error after ``patience`` seconds.

    Args:
        client: connected.
        transactional_id: of the producer.
        patience: seconds that a request is repeated.
    """

    def __init__(self, client: AIOKafkaClient, transactional_id: str, patience: float) -> None:
        self._client = client
        self._id = transactional_id
        self._patience = patience
        self._found: int | None = None

    async def next_epoch(self, transaction_timeout: float) -> Epoch:
        """Fence earlier producers of the id, once their transaction is committed or aborted."""
        request = InitProducerIdRequest(self._id, int(transaction_timeout * 1000))
        answer = await self._ask(request, lambda answer: [answer.error_code])
        return Epoch(answer.producer_id, answer.producer_epoch)

    async def add_partitions(self, epoch: Epoch, partitions: Collection[Partition]) -> None:
        """Make partitions part of the transaction, before anything is written to them."""
        request = AddPartitionsToTxnRequest(self._id, epoch.producer_id, epoch.number, by_topic(partitions))
        await self._ask(request, lambda answer: [code for _, own in answer.errors for _, code in own])

    async def commit(self, epoch: Epoch) -> None:
        """Commit the transaction."""
        request = EndTxnRequest(self._id, epoch.producer_id, epoch.number, _COMMIT)
        await self._ask(request, lambda answer: [answer.error_code])

    async def _ask(self, request: object, codes: Callable[[Any], Iterable[int]]) -> Any:  # noqa: ANN401 (aiokafka's responses have no types)
        """Ask until it is done."""
        deadline = asyncio.get_running_loop().time() + self._patience
        for pause in pauses():
            try:
                answer = await self._client.send(await self._node(), request, group=ConnectionGroup.COORDINATION)
                error = _first_error(codes(answer))
            except KafkaError as failure:
                error = failure
            if error is None:
                return answer
            if not (isinstance(error, _TRANSIENT) or error.retriable) or self._is_over(deadline):
                raise error
            if not isinstance(error, ConcurrentTransactions):
                self._found = None
            await asyncio.sleep(pause)
        raise AssertionError("pauses never end")

    async def _node(self) -> int:
        if self._found is None:
            self._found = await self._client.coordinator_lookup(CoordinationType.TRANSACTION, self._id)
        return self._found

    def _is_over(self, deadline: float) -> bool:
        return asyncio.get_running_loop().time() >= deadline


def _first_error(codes: Iterable[int]) -> KafkaError | None:
    """The error among ``codes``; where one partition fails the others are only not attempted."""
    found = [for_code(code) for code in codes]
    failed = [error for error in found if error is not NoError]
    told = [error for error in failed if error is not OperationNotAttempted] or failed
    return told[0]() if told else None
