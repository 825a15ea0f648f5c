"""Events that go out: intent, risk, decisions, alerts, closed sessions, and the headers of dead letters.

Optional fields are left out of the JSON when None. Times are ms since the epoch, amounts are in major units.
Constraints are checked on decoding; encoding a struct does not check them.
"""

from enum import StrEnum
from typing import Annotated, Final, Literal, get_args

from msgspec import Meta, Struct, field

from schemas.events import CLICK_TYPES, MAX_ID, Currency, EventTime, Id, Name

IntentName = Literal["browse", "search", "compare", "purchase", "abandon", "support", "return"]
QueryIntent = Literal[
    "find_product",
    "compare_products",
    "ask_price",
    "ask_availability",
    "ask_product",
    "promotion",
    "delivery",
    "track_order",
    "change_order",
    "cancel_order",
    "return_refund",
    "payment_problem",
    "complaint",
    "account_help",
    "human_agent",
    "other",
]
Language = Literal["zh", "en", "other"]
Color = Literal[
    "black",
    "white",
    "grey",
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
    "beige",
    "gold",
    "silver",
    "multicolor",
]
RiskLevel = Literal["normal", "elevated", "highest", "not_assessed"]
Action = Literal["allow", "warn", "verify", "review", "block", "freeze"]
ReasonSource = Literal["rule", "model", "list"]
RuleMode = Literal["live", "shadow"]
SubjectType = Literal["order", "user", "session", "device"]
AlertSubjectType = Literal[
    "order",
    "user",
    "session",
    "device",
    "card",
    "ip",
    "network",
    "email",
    "merchant",
    "address",
    "model",
    "topic",
    "rule",
]
AlertKind = Literal["risk", "velocity", "drift", "model", "pipeline"]
Severity = Literal["info", "warning", "critical"]
Outcome = Literal["purchase", "abandoned_cart", "browse", "support"]

# The order of intents is the order of the model's output columns; actions go from mildest to strictest.
INTENTS: Final[tuple[str, ...]] = get_args(IntentName)
QUERY_INTENTS: Final[tuple[str, ...]] = get_args(QueryIntent)
COLORS: Final[tuple[str, ...]] = get_args(Color)
RISK_LEVELS: Final[tuple[str, ...]] = get_args(RiskLevel)
ACTIONS: Final[tuple[str, ...]] = get_args(Action)
OUTCOMES: Final[tuple[str, ...]] = get_args(Outcome)
NEXT_ACTIONS: Final[tuple[str, ...]] = (*CLICK_TYPES, "none")

ELEVATED_FROM: Final = 65
HIGHEST_FROM: Final = 75
MAX_REASONS: Final = 5

Millis = Annotated[int, Meta(ge=0, description="ms since the epoch.")]
Probability = Annotated[float, Meta(ge=0, le=1)]
NextAction = Annotated[str, Meta(extra_json_schema={"enum": list(NEXT_ACTIONS)})]
Amount = Annotated[float, Meta(ge=0, description="Major units.")]
Count = Annotated[int, Meta(ge=0)]
Score = Annotated[int, Meta(ge=0, le=100, description="Higher is riskier.")]
AlertId = Annotated[str, Meta(min_length=1, max_length=MAX_ID + 128, description="Dedupe key and window.")]
OutputId = Annotated[str, Meta(min_length=1, max_length=MAX_ID + 32, description="Made from an input's id.")]
Partial = Annotated[
    bool, Meta(description="True where the deadline came before some velocities: rules saw these as missing.")
]
Technique = Annotated[
    str, Meta(pattern=r"^[FT]\d{4}(\.\d{3})?$", description="MITRE F3 technique, such as F1012 or T1110.004.")
]
Techniques = Annotated[list[Technique], Meta(description="Of the reasons, those that name one.")]
Visitor = Annotated[Id, Meta(description="The input's user_id, else its anonymous_id.")]


class ModelRef(Struct, frozen=True, gc=False):
    """The model that made an output."""

    name: Id
    version: Id


class Output(Struct, frozen=True, gc=False, omit_defaults=True):
    """What every output about one input has. `event_id` is deterministic, made from the input's."""

    event_id: OutputId
    source_event_id: Id
    user_id: Visitor
    ts: EventTime
    scored_at: Millis
    model: ModelRef


class Probabilities(Struct, frozen=True, gc=False):
    """Probability of each intent, in the order of `INTENTS`; they sum to 1."""

    browse: Probability
    search: Probability
    compare: Probability
    purchase: Probability
    abandon: Probability
    support: Probability
    return_: Probability = field(name="return")


class SlotValues(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a text asks for; only what it names is present. `category`, `brand` and `size` are as written."""

    category: str | None = None
    color: Color | None = None
    brand: str | None = None
    size: str | None = None
    price_min: Amount | None = None
    price_max: Amount | None = None
    currency: Currency | None = None


class SessionState(Struct, frozen=True, gc=False):
    """The session as of this event, the event included."""

    started_at: EventTime
    events: Count
    duration_ms: Count
    cart_value: Amount


class IntentReason(Struct, frozen=True, gc=False, omit_defaults=True):
    """What moved a purchase's probability: one of the model's inputs, `text` in English, `text_zh` in Chinese."""

    feature: Id
    contribution: Annotated[float, Meta(description="Signed, in percentage points of the probability.")]
    text: str
    text_zh: str
    value: float | None = None


IntentReasons = Annotated[
    list[IntentReason],
    Meta(max_length=MAX_REASONS, description="Of the purchase probability, strongest first, where it is explained."),
]


class CategoryChance(Struct, frozen=True, gc=False):
    """A category, and how probable it is."""

    category: Name
    probability: Probability


class IntentEvent(Output, frozen=True, gc=False, omit_defaults=True):
    """What a visitor is about to do, on topic `intent-events`: one per clickstream event."""

    session_id: Id
    intent: IntentName
    probabilities: Probabilities
    purchase_probability: Annotated[Probability, Meta(description="Of a purchase later in this session.")]
    session: SessionState
    query_intent: Annotated[QueryIntent | None, Meta(description="Of the click's message, else of its query.")] = None
    language: Language | None = None
    slots: SlotValues | None = None
    text_model: Annotated[ModelRef | None, Meta(description="What read the words.")] = None
    reasons: IntentReasons | None = None
    purchase_24h_probability: Annotated[
        Probability | None, Meta(description="Of a purchase within 24 hours, in this session or another.")
    ] = None
    abandonment_probability: Annotated[
        Probability | None, Meta(description="That the session ends with something in the cart and no further order.")
    ] = None
    exit_probability: Annotated[Probability | None, Meta(description="That the session ends with this event.")] = None
    next_action: Annotated[
        NextAction | None, Meta(description="The most probable type of the session's next event; `none`: it ends here.")
    ] = None
    next_category: Annotated[
        list[CategoryChance] | None,
        Meta(
            description="Where the next event with a category may be: so far this event's category, where it has one."
        ),
    ] = None


class Reason(Struct, frozen=True, gc=False, omit_defaults=True):
    """Why a score is what it is. `contribution` is signed, in points of the risk score."""

    code: Id
    source: ReasonSource
    contribution: float
    text: str
    feature: str | None = None
    value: float | str | None = None
    technique: Technique | None = None


class RuleHit(Struct, frozen=True, gc=False):
    """A rule that matched. A rule in `shadow` mode is reported and does not count."""

    id: Id
    version: Id
    mode: RuleMode
    score: float


class DecisionRef(Struct, frozen=True, gc=False):
    """The decision that a risk event led to."""

    decision_id: Id
    action: Action


Reasons = Annotated[list[Reason], Meta(max_length=MAX_REASONS, description="Strongest first.")]


class RiskEvent(Output, frozen=True, gc=False, omit_defaults=True):
    """How risky an order is, on topic `risk-events`: one per order.

    When `risk_level` is `not_assessed`, `risk_score` and `probability` are absent and `reasons` says why.
    """

    order_id: Id
    risk_level: RiskLevel
    reasons: Reasons
    rules: list[RuleHit]
    decision: DecisionRef
    ruleset_version: Id
    risk_score: Score | None = None
    probability: Annotated[Probability | None, Meta(description="Of fraud, calibrated.")] = None
    partial: Partial | None = None


class Subject(Struct, frozen=True, gc=False):
    """What a decision is about; its `id` is the record's key."""

    type: SubjectType
    id: Id


class Decision(Output, frozen=True, gc=False, omit_defaults=True):
    """What a blocker must do, on topic `decisions`. `decision_id` is UUIDv5 of (source event, policy)."""

    decision_id: Id
    subject: Subject
    action: Action
    policy: Id
    reasons: Annotated[list[Id], Meta(description="Reason codes.")]
    expires_at: Millis | None = None
    supersedes: Annotated[Id | None, Meta(description="decision_id of the decision it replaces.")] = None
    partial: Partial | None = None
    techniques: Techniques | None = None


class AlertSubject(Struct, frozen=True, gc=False):
    """What an alert is about; its `id` is the record's key."""

    type: AlertSubjectType
    id: Id


class Alert(Struct, frozen=True, gc=False, omit_defaults=True):
    """What the risk team must look at, on topic `alerts`, grouped and deduplicated.

    `alert_id` is the dedupe key and the window. An alert about a model or the pipeline has no source event,
    and so neither `source_event_id` nor `user_id`.
    """

    event_id: OutputId
    ts: EventTime
    scored_at: Millis
    alert_id: AlertId
    kind: AlertKind
    severity: Severity
    title: Name
    subject: AlertSubject
    count: Annotated[
        int, Meta(ge=1, description="Orders; of kind velocity all at the subject, in the time that the rule looks at.")
    ]
    first_ts: EventTime
    last_ts: EventTime
    reasons: Annotated[list[Id], Meta(description="Reason codes.")]
    source_event_id: Id | None = None
    user_id: Visitor | None = None
    model: ModelRef | None = None
    techniques: Techniques | None = None


class Conversation(Struct, frozen=True, gc=False, omit_defaults=True):
    """The messages of a session as one conversation with customer service."""

    messages: Annotated[int, Meta(ge=1, description="255 stands for more.")]
    satisfaction: Annotated[float, Meta(ge=-2, le=2, description="Of the customer, from their words.")]
    solved: Annotated[Probability, Meta(description="That the last message says the problem is solved.")]
    text_model: Annotated[ModelRef, Meta(description="What read the words.")]
    wanted: Annotated[QueryIntent | None, Meta(description="Last intent other than `other`.")] = None


class SessionEvent(Output, frozen=True, gc=False, omit_defaults=True):
    """A closed session, on topic `session-events`: exactly one per session.

    Its source event is the session's last.
    """

    session_id: Id
    started_at: EventTime
    ended_at: EventTime
    events: Count
    counts: Annotated[dict[str, Count], Meta(description="Events by type; types that never came are absent.")]
    cart_value: Amount
    outcome: Outcome
    intent_path: Annotated[list[IntentName], Meta(description="Intents in order, repetitions collapsed.")]
    conversation: Annotated[Conversation | None, Meta(description="Absent without a message.")] = None


OutputEvent = IntentEvent | RiskEvent | Decision | Alert | SessionEvent


class FailureType(StrEnum):
    """Why a record became a dead letter; the value of header `x-failure-type`."""

    MALFORMED_JSON = "malformed_json"
    SCHEMA_VIOLATION = "schema_violation"
    SIZE_VIOLATION = "size_violation"
    LATE_EVENT = "late_event"
    MODEL_FAILURE = "model_failure"
    OUTPUT_TOO_LARGE = "output_too_large"
