"""The events of a report: from the files of a replay, or from topics."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from app.cli.errors import UsageProblem
from app.kafka.topics import TopicError, partition_counts
from app.report.collected import Collected
from schemas.events import Label, Order
from schemas.outputs import Alert, RiskEvent
from schemas.topics import ALERTS, LABELS, ORDERS, RISK_EVENTS

_Decoder = (
    msgspec.json.Decoder[RiskEvent]
    | msgspec.json.Decoder[Alert]
    | msgspec.json.Decoder[Label]
    | msgspec.json.Decoder[Order]
)

_DECODERS: Final[dict[str, _Decoder]] = {
    RISK_EVENTS: msgspec.json.Decoder(RiskEvent),
    ALERTS: msgspec.json.Decoder(Alert),
    LABELS: msgspec.json.Decoder(Label),
    ORDERS: msgspec.json.Decoder(Order),
}
_POLL_MS = 500


def read_folder(folder: Path, event_files: Sequence[Path], into: Collected) -> None:
    """Read what ``sluice replay --out`` wrote, and labels and orders from files of native events.

    Raises:
        UsageProblem: a file is not there.
    """
    for topic in (RISK_EVENTS, ALERTS):
        for line in _lines(folder / f"{topic}.jsonl"):
            _take(topic, line, into)
    for path in event_files:
        for line in _lines(path):
            if b'"label"' in line:
                _take(LABELS, line, into)
            elif b'"order_id"' in line:
                _take(ORDERS, line, into)


def read_topics(broker: str, into: Collected) -> None:
    """Read the topics to their ends.

    Raises:
        UsageProblem: no broker answers, or it has no such topics.
    """
    asyncio.run(_read_topics(broker, into))


async def _read_topics(broker: str, into: Collected) -> None:
    try:
        counts = await partition_counts(broker)
    except TopicError as error:
        raise UsageProblem(str(error)) from None
    if missing := _DECODERS.keys() - counts.keys():
        raise UsageProblem(
            f"no topic {', '.join(sorted(missing))} at {broker}; make the topics with `sluice topics create`"
        )
    places = [TopicPartition(topic, number) for topic in _DECODERS for number in range(counts[topic])]
    async for topic, value in _records(broker, places):
        _take(topic, value, into)


async def _records(broker: str, places: list[TopicPartition]) -> AsyncIterator[tuple[str, bytes]]:
    async with AIOKafkaConsumer(
        bootstrap_servers=broker, auto_offset_reset="earliest", isolation_level="read_committed"
    ) as consumer:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        left = {place for place, end in ends.items() if end}
        while left:
            for records in (await consumer.getmany(*left, timeout_ms=_POLL_MS)).values():
                for record in records:
                    yield record.topic, record.value or b""
            left = {place for place in left if await consumer.position(place) < ends[place]}


def _take(topic: str, value: bytes, into: Collected) -> None:
    try:
        into.take(_DECODERS[topic].decode(value))
    except msgspec.DecodeError:
        return  # of another version, a click, or what the engine has dead-lettered


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}") from None
