"""What the consumers of a demo see: a recommender that reads scores, and a risk team that reads alerts."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from schemas.outputs import Alert, ModelRef
from schemas.topics import ALERTS, CLICKSTREAM, DEAD_LETTER, INTENT_EVENTS

_LOOK_MS = 20


class _Input(msgspec.Struct, gc=False):
    event_id: str


class _Scored(msgspec.Struct, gc=False):
    source_event_id: str
    model: ModelRef


_INPUT = msgspec.json.Decoder(_Input)
_SCORED = msgspec.json.Decoder(_Scored)
_ALERT = msgspec.json.Decoder(Alert)


@dataclass(frozen=True, slots=True)
class Answer:
    """An output: when it was seen, in ms since the epoch, and the version that made it (None: a dead letter)."""

    seen: int
    version: str | None
    partition: int


@dataclass
class Seen:
    """Clicks by id with the time of their append, their answers in order, and alerts about models."""

    appended: dict[str, int] = field(default_factory=dict)
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    order: list[tuple[int, str]] = field(default_factory=list)
    alerts: dict[str, Alert] = field(default_factory=dict)

    def between(self, start: int, end: int) -> "Window":
        """What became of the clicks appended from ``start`` to ``end``, ms since the epoch."""
        ids = [id_ for id_, at in self.appended.items() if start <= at < end]
        answers = [self.answers[id_][0] for id_ in ids if id_ in self.answers]
        waits = [self.answers[id_][0].seen - self.appended[id_] for id_ in ids if id_ in self.answers]
        return Window(
            clicks=len(ids),
            versions=Counter(answer.version or "dead letter" for answer in answers),
            lost=sum(id_ not in self.answers for id_ in ids),
            repeated=sum(len(self.answers.get(id_, ())) > 1 for id_ in ids),
            waits=np.array(waits, np.int64),
        )


@dataclass(frozen=True)
class Window:
    """Clicks of a stretch of time: who scored them, and how long each one waited, in ms."""

    clicks: int
    versions: Counter[str]
    lost: int
    repeated: int
    waits: np.ndarray[tuple[int, ...], np.dtype[np.int64]]

    def percentile(self, percent: float) -> float:
        """Of the waits; 0 where there are none."""
        return round(float(np.percentile(self.waits, percent)), 1) if len(self.waits) else 0.0


class Consumers:
    """Reads committed records of the topics, as anybody may, from the start to the end of the block."""

    def __init__(self, broker: str, partitions: int) -> None:
        topics = [CLICKSTREAM, INTENT_EVENTS, DEAD_LETTER, ALERTS]
        self._places = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=broker, isolation_level="read_committed", auto_offset_reset="earliest"
        )
        self._task: asyncio.Task[None] | None = None
        self.seen = Seen()

    async def __aenter__(self) -> Seen:
        await self._consumer.start()
        self._consumer.assign(self._places)
        self._task = asyncio.create_task(self._read())
        return self.seen

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._consumer.stop()

    async def _read(self) -> None:
        while True:
            fetched = await self._consumer.getmany(timeout_ms=_LOOK_MS)
            now_ms = time.time_ns() // 1_000_000
            for records in fetched.values():
                for record in records:
                    self._take(record, now_ms)

    def _take(self, record: ConsumerRecord[bytes, bytes], now_ms: int) -> None:
        value = record.value or b""
        if record.topic == CLICKSTREAM:
            self.seen.appended[_INPUT.decode(value).event_id] = record.timestamp
        elif record.topic == ALERTS:
            alert = _ALERT.decode(value)
            if alert.kind == "model":
                self.seen.alerts.setdefault(alert.alert_id, alert)
        else:
            version = None
            if record.topic == INTENT_EVENTS:
                scored = _SCORED.decode(value)
                id_, version = scored.source_event_id, scored.model.version
                self.seen.order.append((record.partition, version))
            else:
                id_ = _INPUT.decode(value).event_id
            self.seen.answers.setdefault(id_, []).append(Answer(now_ms, version, record.partition))
