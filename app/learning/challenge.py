"""A challenger from the topics, beside the champion that serves, on days later than all that it learned from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.learning.comparing import Decision, Difference, compared, decided
from app.learning.reading import Gathered
from app.learning.sets import Settling, click_set, order_set
from app.models.runtime import IntentModel, IntentScorer, RiskModel, RiskScorer
from app.models.session import session_of
from app.training.click_sets import ClickSet
from app.training.gru import GruSettings
from app.training.intent import fit_intent
from app.training.learnable import require_both, require_learnable
from app.training.order_sets import OrderSet
from app.training.progress import Reporter
from app.training.risk import fit_risk
from app.training.sources import MEASURE
from app.training.storing import MEASURED_FILE, Trained

Floats = NDArray[np.floating]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Order:
    """What to make: the ``version`` of the challenger and when it is ``created``, its data's ``broker``, and when the
    truth about it is known."""

    version: str
    created: str
    broker: str
    settling: Settling
    settings: GruSettings


@dataclass(frozen=True)
class Match:
    """How a challenger compares with the champion on ``rows`` of ``users``, and what that decides."""

    rows: int
    users: int
    differences: Sequence[Difference]
    decision: Decision
    labels: Mapping[str, int]

    def told(self) -> dict[str, object]:
        """For a report."""
        return {
            "rows": self.rows,
            "users": self.users,
            "labels": dict(self.labels),
            "comparison": {one.metric: _numbers(one) for one in self.differences},
            "verdict": self.decision.verdict,
            "why": self.decision.why,
        }


@dataclass(frozen=True)
class Challenge:
    """A challenger that is not stored yet, and its match."""

    trained: Trained
    match: Match


def intent_challenge(gathered: Gathered, champion: IntentScorer, order: Order, reporter: Reporter) -> Challenge:
    """An intent model that learned from the sessions that are over; compared by the purchases in them, as it was before
    it learned from the days that compare.

    Raises:
        UsageProblem: there are no clicks, no settled sessions, or none with or without a purchase.
    """
    one = click_set(gathered, order.broker, order.settling)
    require_learnable("the topic clickstream", one.part, one.labels.purchase, "purchases")
    trained = fit_intent([one], order.version, order.created, order.settings, reporter)
    challenger = IntentModel(trained.files[MEASURED_FILE], "intent", order.version)
    return Challenge(trained, intent_match(one, one.part == MEASURE, champion, challenger))


def risk_challenge(gathered: Gathered, champion: RiskScorer, order: Order) -> Challenge:
    """A risk model that learned from orders and their labels.

    Raises:
        UsageProblem: there are no orders, none is settled, or all are good, or all are bad.
    """
    one = order_set(gathered, order.broker, order.settling)
    require_learnable("the topic orders", one.part, one.fraud, "bad orders")
    trained = fit_risk([one], order.version, order.created)
    mapping = trained.manifest.score_mapping
    assert mapping is not None, "a risk model is trained with its mapping"
    challenger = RiskModel(session_of(trained.graph), "risk", order.version, mapping)
    return Challenge(trained, risk_match(gathered, one, one.part == MEASURE, champion, challenger))


def intent_match(one: ClickSet, measured: Flags, champion: IntentScorer, challenger: IntentScorer) -> Match:
    """The two on the ``measured`` clicks [n] of a set, all of which are scored in order.

    Raises:
        UsageProblem: none are, or all or none of them have a purchase after them.
    """
    require_both("the topic clickstream", one.labels.purchase[measured], "compared on", "purchases")
    before, after = (one.scored(model)[1][measured] for model in (champion, challenger))
    return _match(one.labels.purchase[measured], before, after, one.rows.user[measured], {})


def risk_match(
    gathered: Gathered, one: OrderSet, measured: Flags, champion: RiskScorer, challenger: RiskScorer
) -> Match:
    """The two on the ``measured`` orders [m] of a set.

    Raises:
        UsageProblem: none are, or all or none of them are bad.
    """
    require_both("the topic orders", one.fraud[measured], "compared on", "bad orders")
    before, after = (
        model.score(one.rows.given(model.inputs)[measured]).probability for model in (champion, challenger)
    )
    users = np.unique(one.rows.users, return_inverse=True)[1][measured]
    return _match(one.fraud[measured], before, after, users, gathered.labels.counted(one.rows.order_ids))


def _match(truth: Flags, champion: Floats, challenger: Floats, users: Ints, labels: Mapping[str, int]) -> Match:
    differences = compared(truth, champion, challenger, users)
    return Match(len(truth), len(np.unique(users)), differences, decided(differences), labels)


def _numbers(one: Difference) -> dict[str, object]:
    found = msgspec.to_builtins(one)
    return {name: value for name, value in found.items() if name != "metric"}
