"""What came of it: the topics read once more, against the truth and the broker's own times."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from app.demo.plays import Truth
from schemas.outputs import Alert, Decision, IntentEvent, RiskEvent, SessionEvent
from schemas.topics import (
    ALERTS,
    CLICKSTREAM,
    DEAD_LETTER,
    DECISIONS,
    INTENT_EVENTS,
    ORDERS,
    OUTPUTS,
    RISK_EVENTS,
    SESSION_EVENTS,
)

PURCHASE_THRESHOLD = 0.5
"""A purchase counts as foreseen from this probability on."""
STOPPING = frozenset({"review", "block", "freeze"})
"""A fraud counts as caught if the decision about its order is one of these."""
WARM_UP_MS = 3_000
"""The first events wait for caches to fill, and do not count in the latency."""
_TELLING_CHANCE, _TELLING_EVENTS = 0.8, 10  # of the examples


class _Input(msgspec.Struct, gc=False):
    event_id: str


@dataclass(frozen=True)
class Caught:
    """How well something was foreseen: of what was flagged, the true share; of what is true, the flagged share."""

    right: int
    flagged: int
    true: int
    cases: int

    @property
    def precision(self) -> float | None:
        """None where nothing was flagged."""
        return round(self.right / self.flagged, 4) if self.flagged else None

    @property
    def recall(self) -> float | None:
        """None where nothing is true."""
        return round(self.right / self.true, 4) if self.true else None


@dataclass
class Outcome:
    """Counts, append times in ms by event id, what was flagged, and of some topics the output that says most.

    ``ruleset`` is the one that judged the latest order. ``actions`` and ``rules`` are the decision about each order, by
    its event id, and the live rules that it met; ``sessions`` are those about which something was decided. ``alerts``
    are counted by their strongest reason.
    """

    outputs: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    appended: dict[str, int] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    purchase: dict[str, float] = field(default_factory=dict)
    ruleset: str = "–"
    actions: dict[str, str] = field(default_factory=dict)
    rules: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sessions: set[str] = field(default_factory=set)
    alerts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, tuple[float, bytes]] = field(default_factory=dict)

    def latency(self, events: Iterable[str]) -> dict[str, float]:
        """From an input's append to that of its output, of ``events`` after the warm-up: percentiles in ms."""
        known = [event for event in events if event in self.answered and event in self.appended]
        if not known:
            return {}
        times = np.array([self.appended[event] for event in known])
        waits = np.array([self.answered[event] for event in known]) - times
        warm = waits[times >= times.min() + min(WARM_UP_MS, (times.max() - times.min()) / 2)]
        p50, p90, p99 = np.percentile(warm, [50, 90, 99]).tolist()
        return {"p50": p50, "p90": p90, "p99": p99, "max": float(warm.max())}

    def caught(self, truth: Truth) -> dict[str, Caught]:
        """What the outputs flagged, against the truth."""
        buyers = {event for event, chance in self.purchase.items() if chance >= PURCHASE_THRESHOLD}
        return {
            "purchase": _caught(truth.purchase_later, buyers),
            "fraud": _caught(truth.fraud, self.stopped),
            "scraping": _caught(truth.scraping, self.sessions),
        }

    def by_rule(self, truth: Truth) -> dict[str, Caught]:
        """How right each live rule was about the orders that it met, those that met most first."""
        met: dict[str, set[str]] = {}
        for event, rules in self.rules.items():
            for rule in rules:
                met.setdefault(rule, set()).add(event)
        return {rule: _caught(truth.fraud, met[rule]) for rule in sorted(met, key=lambda rule: (-len(met[rule]), rule))}

    def by_pattern(self, truth: Truth) -> dict[str, Caught]:
        """What of the orders of each way of fraud was stopped, those of most orders first."""
        counts = Counter(truth.patterns.values())
        return {
            pattern: _caught({event: found == pattern for event, found in truth.patterns.items()}, self.stopped)
            for pattern, _ in counts.most_common()
        }

    @property
    def stopped(self) -> set[str]:
        """The event ids of orders that wait for somebody, or are blocked."""
        return {event for event, action in self.actions.items() if action in STOPPING}


def _caught(truth: Mapping[str, bool], flagged: set[str]) -> Caught:
    true = {event for event, is_true in truth.items() if is_true}
    return Caught(len(true & flagged), len(flagged & truth.keys()), len(true), len(truth))


async def outcome(broker: str, partitions: int) -> Outcome:
    """Read every topic to its end."""
    found = Outcome()
    topics = [CLICKSTREAM, ORDERS, *(topic.name for topic in OUTPUTS)]
    async for record in _records(broker, [TopicPartition(t, n) for t in topics for n in range(partitions)]):
        _take(found, record)
    return found


async def _records(broker: str, partitions: list[TopicPartition]) -> AsyncIterator[ConsumerRecord[bytes, bytes]]:
    async with AIOKafkaConsumer(
        bootstrap_servers=broker, auto_offset_reset="earliest", isolation_level="read_committed"
    ) as consumer:
        consumer.assign(partitions)
        ends = await _high_watermarks(broker, partitions)
        left = {partition for partition, end in ends.items() if end}
        while left:
            for records in (await consumer.getmany(*left, timeout_ms=500)).values():
                for record in records:
                    yield record
            left = {partition for partition in left if await consumer.position(partition) < ends[partition]}


async def _high_watermarks(broker: str, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    """Where partitions end. What committed offsets made seem done may still wait there for its transaction's marker:
    the broker writes the markers of a transaction one partition after the other."""
    async with AIOKafkaConsumer(bootstrap_servers=broker, isolation_level="read_uncommitted") as consumer:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        return ends


_INPUT = msgspec.json.Decoder(_Input)
_INTENT = msgspec.json.Decoder(IntentEvent)
_RISK = msgspec.json.Decoder(RiskEvent)
_SESSION = msgspec.json.Decoder(SessionEvent)
_DECISION = msgspec.json.Decoder(Decision)
_ALERT = msgspec.json.Decoder(Alert)


def _take(found: Outcome, record: ConsumerRecord[bytes, bytes]) -> None:
    value = record.value or b""
    if record.topic == DEAD_LETTER:
        found.dead_letters[dict(record.headers)["x-failure-type"].decode()] += 1
        return
    if record.topic in (CLICKSTREAM, ORDERS):
        _take_input(found, value, record.timestamp)
        return
    found.outputs[record.topic] += 1
    if record.topic == INTENT_EVENTS:
        intent = _INTENT.decode(value)
        found.answered.setdefault(intent.source_event_id, record.timestamp)
        found.purchase[intent.source_event_id] = intent.purchase_probability
        _show(found, INTENT_EVENTS, value, -abs(intent.purchase_probability - _TELLING_CHANCE))
    elif record.topic == RISK_EVENTS:
        risk = _RISK.decode(value)
        found.answered.setdefault(risk.source_event_id, record.timestamp)
        found.ruleset = risk.ruleset_version
        found.actions[risk.source_event_id] = risk.decision.action
        found.rules[risk.source_event_id] = tuple(hit.id for hit in risk.rules if hit.mode == "live")
        _show(found, RISK_EVENTS, value, (risk.risk_score or 0) + len(risk.reasons))
    elif record.topic == SESSION_EVENTS:
        session = _SESSION.decode(value)
        _show(found, SESSION_EVENTS, value, (session.outcome == "purchase") - abs(session.events - _TELLING_EVENTS))
    elif record.topic == DECISIONS:
        decision = _DECISION.decode(value)
        if decision.subject.type == "session":
            found.sessions.add(decision.subject.id)
    elif record.topic == ALERTS:
        found.alerts[next(iter(_ALERT.decode(value).reasons), "–")] += 1


def _take_input(found: Outcome, value: bytes, appended: int) -> None:
    try:
        found.appended.setdefault(_INPUT.decode(value).event_id, appended)
    except msgspec.DecodeError:
        return  # a dead letter, counted where it arrived


def _show(found: Outcome, topic: str, value: bytes, weight: float) -> None:
    if topic not in found.examples or weight > found.examples[topic][0]:
        found.examples[topic] = weight, value
