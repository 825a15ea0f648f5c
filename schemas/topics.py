"""The topic catalogue: every topic, what its records are, how they are keyed and how long they stay."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from msgspec import Struct

from schemas.control import ModelControl, ModelStatus, RulesetRecord, RulesetStatus
from schemas.events import Click, Label, Order
from schemas.outputs import Alert, Decision, IntentEvent, RiskEvent, SessionEvent

CLICKSTREAM: Final = "clickstream"
ORDERS: Final = "orders"
LABELS: Final = "labels"
INTENT_EVENTS: Final = "intent-events"
RISK_EVENTS: Final = "risk-events"
DECISIONS: Final = "decisions"
ALERTS: Final = "alerts"
SESSION_EVENTS: Final = "session-events"
DEAD_LETTER: Final = "dead-letter"
MODEL_CONTROL: Final = "model-control"
MODEL_STATUS: Final = "model-status"
RULESETS: Final = "rulesets"
RULESET_STATUS: Final = "ruleset-status"
VELOCITY_ASKS: Final = "velocity-asks"
VELOCITY_ANSWERS: Final = "velocity-answers"

_DAY_MS = 86_400_000
_MIB = 1_048_576
_MAX_INPUT_BYTES = 8 * _MIB
# A dead letter is a whole input and its diagnosis.
_MAX_DEAD_LETTER_BYTES = _MAX_INPUT_BYTES + 64 * 1_024


@dataclass(frozen=True)
class TopicContract:
    """One topic.

    `struct` describes its JSON values, and is None where they are the original bytes of another topic.
    `ce_type` is the CloudEvents type of its records, whose suffix is the contract's major version; inputs
    need none. `config` holds Kafka topic settings.
    """

    name: str
    key: str
    direction: Literal["in", "out"]
    description: str
    struct: type[Struct] | None = None
    ce_type: str | None = None
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ControlTopic:
    """A compacted topic of one partition that workers read whole, each for itself: the latest value of a key holds.

    `struct` describes its JSON values; `config` holds Kafka topic settings.
    """

    name: str
    key: str
    description: str
    struct: type[Struct]
    config: Mapping[str, str]


@dataclass(frozen=True)
class InternalTopic:
    """A topic by which the workers of one group talk to each other, in a binary form that is no contract.

    Each group has its own, with as many partitions as the inputs: see `of`. `config` holds Kafka topic settings.
    """

    name: str
    description: str
    config: Mapping[str, str]

    def of(self, group: str) -> str:
        """Its full name: `<group>-<name>`, as the changelogs are named."""
        return f"{group}-{self.name}"


def _retention(days: int, **more: str) -> dict[str, str]:
    """Keep records for `days` after they arrive.

    The broker stamps them: a replay of old events must not be deleted at once for its age, nor an event
    dated ahead be refused (`message.timestamp.after.max.ms`, KIP-937). Event time is the payload's `ts`.
    """
    settings = {"cleanup.policy": "delete", "retention.ms": str(days * _DAY_MS)}
    return settings | {"message.timestamp.type": "LogAppendTime"} | more


def _compacted() -> dict[str, str]:
    """Keep the latest record of each key; a segment is closed every day, since the open one is never compacted."""
    return {
        "cleanup.policy": "compact",
        "segment.ms": str(_DAY_MS),
        "message.timestamp.type": "LogAppendTime",
    }


_INPUT = {"max.message.bytes": str(_MAX_INPUT_BYTES)}

TOPICS: Final[tuple[TopicContract, ...]] = (
    TopicContract(
        CLICKSTREAM,
        "user_id, else anonymous_id",
        "in",
        "What a visitor does.",
        Click,
        config=_retention(7, **_INPUT),
    ),
    TopicContract(
        ORDERS,
        "user_id",
        "in",
        "An order or payment attempt to judge.",
        Order,
        config=_retention(7, **_INPUT),
    ),
    TopicContract(
        LABELS,
        "user_id",
        "in",
        "What turned out: chargeback, review verdict, confirmed good.",
        Label,
        config=_retention(30, **_INPUT),
    ),
    TopicContract(
        INTENT_EVENTS,
        "as the input",
        "out",
        "What a visitor is about to do: one per clickstream event.",
        IntentEvent,
        "dev.sluice.intent.scored.v1",
        _retention(7),
    ),
    TopicContract(
        RISK_EVENTS,
        "as the input",
        "out",
        "How risky an order is: one per order.",
        RiskEvent,
        "dev.sluice.risk.scored.v1",
        _retention(30),
    ),
    TopicContract(
        DECISIONS,
        "subject id",
        "out",
        "What a blocker must do.",
        Decision,
        "dev.sluice.decision.made.v1",
        _retention(30),
    ),
    TopicContract(
        ALERTS,
        "subject id",
        "out",
        "What the risk team must look at, grouped and deduplicated.",
        Alert,
        "dev.sluice.alert.raised.v1",
        _retention(30),
    ),
    TopicContract(
        SESSION_EVENTS,
        "as the input",
        "out",
        "One per closed session: its summary.",
        SessionEvent,
        "dev.sluice.session.closed.v1",
        _retention(30),
    ),
    TopicContract(
        DEAD_LETTER,
        "as the input",
        "out",
        "A record that could not be processed: its original bytes, with the reason in headers.",
        ce_type="dev.sluice.record.rejected.v1",
        config=_retention(30, **{"max.message.bytes": str(_MAX_DEAD_LETTER_BYTES)}),
    ),
)

BY_NAME: Final[Mapping[str, TopicContract]] = {topic.name: topic for topic in TOPICS}
INPUTS: Final[tuple[TopicContract, ...]] = tuple(topic for topic in TOPICS if topic.direction == "in")
OUTPUTS: Final[tuple[TopicContract, ...]] = tuple(topic for topic in TOPICS if topic.direction == "out")

CONTROLS: Final[tuple[ControlTopic, ...]] = (
    ControlTopic(
        MODEL_CONTROL,
        "model name",
        "Which versions of a model are in force: that which scores, and those on trial.",
        ModelControl,
        _compacted(),
    ),
    ControlTopic(
        MODEL_STATUS,
        "group/instance/model name",
        "Which versions of a model a worker runs, and why it refused one.",
        ModelStatus,
        _compacted(),
    ),
    ControlTopic(
        RULESETS,
        "ruleset, or a part of a list",
        "The ruleset in force, and the entries of its longer lists.",
        RulesetRecord,
        _compacted() | {"max.message.bytes": str(_MAX_INPUT_BYTES)},
    ),
    ControlTopic(
        RULESET_STATUS,
        "group/instance",
        "Which ruleset a worker goes by, and why it refused one.",
        RulesetStatus,
        _compacted(),
    ),
)

INTERNALS: Final[tuple[InternalTopic, ...]] = (
    InternalTopic(
        VELOCITY_ASKS,
        "What the partition of an order asks the owner of an entity, and the state that follows from it.",
        _retention(38, **_INPUT),
    ),
    InternalTopic(
        VELOCITY_ANSWERS,
        "What the owner tells the partition of the order.",
        _retention(1, **_INPUT),
    ),
)
