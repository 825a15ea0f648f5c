"""Input lists into the pipeline, output lists out of it: no broker, no clock."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.fanout.local import LocalFanOut
from app.features.clicks import CLICK_FEATURES
from app.features.orders import ORDER_FEATURES
from app.kafka.fetched import Fetched, Headers, Partition
from app.kafka.partition import partition_of
from app.kafka.record_batch import NO_HEADERS, decode_headers
from app.pipeline import Limits, Pipeline, Work
from app.state.columns import Lifetimes
from app.state.partition_rows import PartitionRows
from app.step import Models
from schemas.topics import CLICKSTREAM, DEAD_LETTER, INTENT_EVENTS, LABELS, ORDERS, RISK_EVENTS, SESSION_EVENTS
from tests.fakes import fake_models

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
START = 1_700_000_000_000
SCORED_AT = 1_800_000_000_000
GAP, GRACE = 30 * MINUTE, 60 * SECOND
LIVES = Lifetimes(gap_ms=GAP, history_ms=30 * DAY, grace_ms=GRACE)
VALUE_BYTES = 1 << 20


@dataclass(frozen=True)
class Input:
    """One input record; without a ``partition`` it goes where its key belongs."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = field(default_factory=list)
    partition: int | None = None


@dataclass(frozen=True)
class Record:
    """One output record; ``body`` is its decoded value, None for dead letters."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes | None]
    body: Any

    def header(self, name: str) -> str:
        value = self.headers[name]
        assert value is not None
        return value.decode()


def event(topic: str, fields: dict[str, Any], headers: Headers | None = None) -> Input:
    """A record of these fields under the key that the contract names; fields that are None are left out."""
    present = {name: value for name, value in fields.items() if value is not None}
    key = str(present.get("user_id") or present.get("anonymous_id", "")).encode()
    return Input(topic, key, json.dumps(present).encode(), headers or [])


def click(user: str, after: int, id_: str, type_: str = "page_viewed", **more: object) -> Input:
    """A click ``after`` ms after START."""
    return event(CLICKSTREAM, {"event_id": id_, "type": type_, "ts": START + after, "user_id": user} | more)


def order(user: str, after: int, id_: str, **more: object) -> Input:
    """An order ``after`` ms after START."""
    body = {"event_id": id_, "type": "order_placed", "ts": START + after, "user_id": user, "order_id": f"order-{id_}"}
    return event(ORDERS, body | {"value": 20.0, "currency": "EUR"} | more)


def label(user: str, after: int, id_: str, **more: object) -> Input:
    """A label ``after`` ms after START."""
    return event(LABELS, {"event_id": id_, "ts": START + after, "user_id": user, "label": "fraud"} | more)


def raw(
    value: bytes | None, key: bytes | None = b"u", topic: str = CLICKSTREAM, headers: Headers | None = None
) -> Input:
    """A record of any bytes."""
    return Input(topic, key, value, headers or [])


Feed = Callable[..., list[Record]]
"""``Worker.run`` or ``Worker.each``: what comes out must not depend on which."""


class Worker:
    """A pipeline, the offsets a broker would number its inputs with, and the velocities that are looked at."""

    def __init__(
        self,
        models: Models | None = None,
        partitions: int = 1,
        step_records: int = 4096,
        max_idle: float = 0.0,
        with_headers: bool = True,
        fan_out: LocalFanOut | None = None,
    ) -> None:
        limits, models = Limits(step_records, VALUE_BYTES, max_idle), models or fake_models()
        self._fan_out = fan_out or LocalFanOut(partitions, models.velocities)
        joiners = self._fan_out.joiners if self._fan_out.is_used else None
        self.pipeline = Pipeline(models, LIVES, limits, partitions, with_headers, joiners)
        self.works: list[Work] = []
        self.stored: dict[int, dict[bytes, bytes | None]] = {}
        self._partitions = partitions
        self._offsets: dict[Partition, int] = {}

    def run(self, *inputs: Input) -> list[Record]:
        """Feed the inputs as one fetch for each topic and partition; what they yield until nothing is left."""
        for fetched in self.fetches(inputs):
            self.pipeline.feed(fetched)
            self._fan_out.feed(fetched)
        self._fan_out.exchange()
        return self.drain()

    def each(self, *inputs: Input) -> list[Record]:
        """Feed the inputs one after another."""
        return [record for one in inputs for record in self.run(one)]

    def drain(self) -> list[Record]:
        """What may be processed when every topic has been read to its end."""
        found: list[Record] = []
        while work := self.pipeline.work(lambda _: 0, 0.0, SCORED_AT):
            self.works.append(work)
            self._fan_out.through(work.next_offsets)
            found += records_of(work)
            for change in work.changes:
                self.stored.setdefault(change.partition, {}).update(zip(change.keys, change.values, strict=True))
        return found

    def fetches(self, inputs: Sequence[Input]) -> list[Fetched]:
        """The inputs as fetches, in the order in which their topics and partitions first appear."""
        groups: dict[Partition, list[Input]] = {}
        for one in inputs:
            groups.setdefault((one.topic, self._partition(one)), []).append(one)
        return [self._fetch(tp, group) for tp, group in groups.items()]

    @property
    def duplicates(self) -> int:
        """Records left out so far as repeated."""
        return sum(work.effects.duplicates for work in self.works)

    def orders_saw(self, feature: str) -> list[float]:
        """A feature of every order so far."""
        column = [feature.name for feature in ORDER_FEATURES].index(feature)
        batches = [scored.features[:, column].tolist() for work in self.works for scored in work.effects.orders]
        return [value for batch in batches for value in batch]

    def clicks_saw(self, feature: str) -> list[float]:
        """A feature of every click so far."""
        column = [feature.name for feature in CLICK_FEATURES].index(feature)
        batches = [scored.features[:, column].tolist() for work in self.works for scored in work.effects.clicks]
        return [value for batch in batches for value in batch]

    def restarted(self) -> "Worker":
        """Another worker that recovers from what this one stored."""
        other = Worker(self.pipeline.models, self._partitions, fan_out=self._fan_out)
        other._offsets = dict(self._offsets)
        other.stored = {partition: dict(rows) for partition, rows in self.stored.items()}
        rows = PartitionRows(other.pipeline.state)
        for partition, stored in other.stored.items():
            rows.load(partition, list(stored), list(stored.values()))
        return other

    def _partition(self, one: Input) -> int:
        return partition_of(one.key or b"", self._partitions) if one.partition is None else one.partition

    def _fetch(self, tp: Partition, inputs: Sequence[Input]) -> Fetched:
        first = self._offsets.get(tp, 0)
        end = self._offsets[tp] = first + len(inputs)
        values = [one.value for one in inputs]
        return Fetched(
            topic=tp[0],
            partition=tp[1],
            first_offset=first,
            next_offset=end,
            end_offset=end,
            generation=0,
            size=sum(len(value or b"") for value in values),
            offsets=range(first, end),
            timestamps=[START] * len(values),
            keys=[one.key for one in inputs],
            values=values,
            headers=[one.headers for one in inputs] if any(one.headers for one in inputs) else None,
        )


def run(*inputs: Input) -> list[Record]:
    """What a new worker makes of the inputs, fetched together."""
    return Worker().run(*inputs)


def records_of(work: Work) -> list[Record]:
    """The output records of one step."""
    found = []
    for out in work.outgoing:
        headers = [decode_headers(block) for block in out.headers or [NO_HEADERS for _ in out.keys]]
        for key, value, own in zip(out.keys, out.values, headers, strict=False):
            body = None if out.topic == DEAD_LETTER else json.loads(value or b"null")
            found.append(Record(out.topic, out.partition, key, value, dict(own), body))
    return found


def on(topic: str, records: Sequence[Record]) -> list[Record]:
    """The records of one topic."""
    return [record for record in records if record.topic == topic]


def scored(records: Sequence[Record]) -> list[str]:
    """The ids of the inputs that were scored, in order of output."""
    return [record.body["source_event_id"] for record in records if record.topic in (INTENT_EVENTS, RISK_EVENTS)]


def failures(records: Sequence[Record]) -> list[str]:
    """Why records became dead letters, in order."""
    return [record.header("x-failure-type") for record in on(DEAD_LETTER, records)]


def sessions(records: Sequence[Record]) -> list[dict[str, Any]]:
    """The summaries of closed sessions, in order."""
    return [record.body for record in on(SESSION_EVENTS, records)]


def heartbeat(until: int) -> list[Input]:
    """Somebody else's clicks, one a day, that event time goes on by."""
    return [click("heart", at, f"beat {at}") for at in range(0, until + 1, DAY)]
