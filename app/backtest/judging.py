"""Recorded orders through the step, under one ruleset: what was decided on each, and what turned out."""

import sys
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.effects import Effects, MetRule, RaisedAlert, Verdict
from app.learning.labels import OrderLabels
from app.replay.recorded import RecordedBatch
from app.rules.book import SEVERITY
from app.state.columns import Lifetimes
from app.step import Models
from app.training.rows import Progress, replayed
from schemas.events import Order
from schemas.topics import LABELS


@dataclass(frozen=True, slots=True, eq=False)
class JudgedOrders:
    """Orders [m] in the order of processing.

    ``value`` is in major units of ``currency``, ``action`` the severity of what was decided, ``score`` -1 where there
    was none; ``hits`` are the rules that each met, by id and mode; ``shadowed`` names the rules that the guard put in
    shadow; ``met`` is which sessions met which rules; ``dead_letters`` counts by type of failure the records that could
    not be processed.
    """

    ids: list[str]
    value: NDArray[np.float64]
    currency: NDArray[np.str_]
    action: NDArray[np.int8]
    score: NDArray[np.int8]
    hits: list[tuple[tuple[str, str], ...]]
    shadowed: list[str]
    met: Sequence[MetRule] = ()
    dead_letters: Mapping[str, int] = field(default_factory=dict)

    def among(self, ids: Collection[str]) -> "JudgedOrders":
        """The orders that are among ``ids``."""
        keep = [place for place, order in enumerate(self.ids) if order in ids]
        if len(keep) == len(self.ids):
            return self
        return JudgedOrders(
            [self.ids[place] for place in keep],
            self.value[keep],
            self.currency[keep],
            self.action[keep],
            self.score[keep],
            [self.hits[place] for place in keep],
            self.shadowed,
            self.met,
            self.dead_letters,
        )


def judge(
    recording: Iterable[RecordedBatch], models: Models, lifetimes: Lifetimes, done: Progress
) -> tuple[JudgedOrders, OrderLabels]:
    """Decide on every order of ``recording`` with the models and the ruleset of ``models``."""
    labels, judging = OrderLabels(), Judging()
    for effects in replayed(_labelled(recording, labels), lifetimes, done, models):
        judging.take(effects)
    return judging.judged(), labels


class Judging:
    """Takes in step after step what a backtest keeps of it: about 150 bytes an order."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._values = array("d")
        self._currencies: list[str] = []
        self._actions = array("b")
        self._scores = array("b")
        self._hits: list[tuple[tuple[str, str], ...]] = []
        self._met: list[MetRule] = []
        self._flooding: set[str] = set()
        self._dead_letters: Counter[str] = Counter()

    def take(self, effects: Effects) -> None:
        """Keep what a step decided."""
        for scored in effects.orders:
            for place in np.argsort(scored.position).tolist():
                self._take(scored.orders[place], scored.verdicts[place])
        self._met += effects.met
        self._flooding.update(rule for one in effects.met for rule in _flooding(one.alerts))
        self._dead_letters.update(record.failure for record in effects.rejected)

    def judged(self) -> JudgedOrders:
        """All that was taken in."""
        return JudgedOrders(
            self._ids,
            np.array(self._values),
            np.array(self._currencies, np.str_),
            np.array(self._actions, np.int8),
            np.array(self._scores, np.int8),
            self._hits,
            sorted(self._flooding),
            self._met,
            dict(self._dead_letters),
        )

    def _take(self, order: Order, verdict: Verdict) -> None:
        self._ids.append(order.order_id)
        self._values.append(order.value)
        self._currencies.append(sys.intern(order.currency))
        self._actions.append(SEVERITY[verdict.action])
        self._scores.append(-1 if verdict.score is None else verdict.score)
        self._hits.append(tuple((hit.id, str(hit.mode)) for hit in verdict.hits))
        self._flooding.update(_flooding(verdict.alerts))


def _flooding(alerts: Sequence[RaisedAlert]) -> Iterator[str]:
    """The rules that met too much, by what ``alerts`` tell."""
    return (alert.subject[1] for alert in alerts if alert.subject[0] == "rule")


def _labelled(recording: Iterable[RecordedBatch], labels: OrderLabels) -> Iterator[RecordedBatch]:
    """The batches, whose labels ``labels`` take in."""
    for batch in recording:
        labels.take(value for topic, value in zip(batch.topics, batch.values, strict=True) if topic == LABELS)
        yield batch
