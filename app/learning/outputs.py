"""What was published, and what is known of what came true, as columns."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from app.cli.errors import UsageProblem
from app.learning.labels import OrderLabels
from schemas.outputs import ModelRef
from schemas.topics import CLICKSTREAM, INTENT_EVENTS, LABELS, RISK_EVENTS, SESSION_EVENTS

TOPICS: Final = (CLICKSTREAM, LABELS, INTENT_EVENTS, SESSION_EVENTS, RISK_EVENTS)
PURCHASE: Final = "order_completed"


class _Click(msgspec.Struct, gc=False):
    event_id: str
    type: str


class _Intent(msgspec.Struct, gc=False):
    source_event_id: str
    user_id: str
    ts: int
    model: ModelRef
    session_id: str
    purchase_probability: float


class _Session(msgspec.Struct, gc=False):
    session_id: str
    outcome: str


class _Risk(msgspec.Struct, gc=False):
    user_id: str
    ts: int
    model: ModelRef
    order_id: str
    risk_level: str
    probability: float | None = None


_INTENT, _SESSION, _RISK, _CLICK = (
    msgspec.json.Decoder(_Intent),
    msgspec.json.Decoder(_Session),
    msgspec.json.Decoder(_Risk),
    msgspec.json.Decoder(_Click),
)


@dataclass(eq=False)
class Published:
    """Outputs of an experiment, with the labels and purchases among the inputs.

    ``bought`` tells of each session that is over whether it had a purchase; ``purchases`` are the ids of the clicks
    that are one, where the clickstream was ``seen``.
    """

    intents: list[_Intent] = field(default_factory=list)
    risks: list[_Risk] = field(default_factory=list)
    bought: dict[str, bool] = field(default_factory=dict)
    purchases: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    labels: OrderLabels = field(default_factory=OrderLabels)

    def take(self, topic: str, values: Iterable[bytes | None]) -> None:
        """Take records of a topic in; inputs that do not parse were dead letters, and are left out.

        Raises:
            UsageProblem: an output is none of this contract.
        """
        self.seen.add(topic)
        if topic == LABELS:
            self.labels.take(values)
        elif topic == CLICKSTREAM:
            self._take_clicks(values)
        else:
            for value in values:
                try:
                    self._take_output(topic, value or b"")
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    raise UsageProblem(f"a record of {topic} is no output of this contract ({error})") from error

    def _take_clicks(self, values: Iterable[bytes | None]) -> None:
        for value in values:
            try:
                click = _CLICK.decode(value or b"")
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            if click.type == PURCHASE:
                self.purchases.add(click.event_id)

    def _take_output(self, topic: str, value: bytes) -> None:
        if topic == INTENT_EVENTS:
            self.intents.append(_INTENT.decode(value))
        elif topic == RISK_EVENTS:
            self.risks.append(_RISK.decode(value))
        elif topic == SESSION_EVENTS:
            session = _SESSION.decode(value)
            self.bought[session.session_id] = session.outcome == "purchase"
