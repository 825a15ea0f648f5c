"""Recorded orders through the step, under one ruleset: what was decided on each, and what turned out."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.effects import MetRule, RaisedAlert, ScoredOrders
from app.replay.recorded import RecordedBatch
from app.rules.book import SEVERITY
from app.state.columns import Lifetimes
from app.step import Models
from app.training.rows import replayed
from schemas.events import Label
from schemas.topics import LABELS

Progress = Callable[[int], None]
LEGITIMATE = "legitimate"


@dataclass(frozen=True, slots=True, eq=False)
class JudgedOrders:
    """Orders [m] in the order of processing.

    ``value`` is in major units of ``currency``, ``action`` the severity of what was decided, ``score`` -1 where there
    was none; ``hits`` are the rules that each met, by id and mode; ``shadowed`` names the rules that the guard put in
    shadow; ``met`` is which sessions met which rules.
    """

    ids: list[str]
    value: NDArray[np.float64]
    currency: NDArray[np.str_]
    action: NDArray[np.int8]
    score: NDArray[np.int8]
    hits: list[tuple[tuple[str, str], ...]]
    shadowed: list[str]
    met: Sequence[MetRule] = ()

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
        )


@dataclass(eq=False)
class Outcomes:
    """What labels said: of each order the latest word, and how many labels named none, or contradicted another."""

    known: dict[str, bool] = field(default_factory=dict)
    without_order: int = 0
    repeated: int = 0
    contradicting: int = 0

    def take(self, label: Label) -> None:
        """Count one in; labels come in the order of their times."""
        if label.order_id is None:
            self.without_order += 1
            return
        is_fraud = label.label != LEGITIMATE
        before = self.known.get(label.order_id)
        self.repeated += before is is_fraud
        self.contradicting += before is (not is_fraud)
        self.known[label.order_id] = is_fraud


def judge(
    recording: Iterable[RecordedBatch], models: Models, lifetimes: Lifetimes, done: Progress
) -> tuple[JudgedOrders, Outcomes]:
    """Decide on every order of ``recording`` with the models and the ruleset of ``models``."""
    outcomes = Outcomes()
    met: list[MetRule] = []

    def orders() -> Iterator[ScoredOrders]:
        for effects in replayed(_labelled(recording, outcomes), lifetimes, done, models):
            met.extend(effects.met)
            yield from effects.orders

    return collected(orders(), met), outcomes


def collected(parts: Iterable[ScoredOrders], met: Sequence[MetRule]) -> JudgedOrders:
    """What was decided on the orders of some steps, and which rules sessions ``met`` in them."""
    ids: list[str] = []
    values: list[float] = []
    currencies: list[str] = []
    actions: list[int] = []
    scores: list[int] = []
    hits: list[tuple[tuple[str, str], ...]] = []
    flooding: set[str] = set()
    for scored in parts:
        for place in np.argsort(scored.position).tolist():
            order, verdict = scored.orders[place], scored.verdicts[place]
            ids.append(order.order_id)
            values.append(order.value)
            currencies.append(order.currency)
            actions.append(SEVERITY[verdict.action])
            scores.append(-1 if verdict.score is None else verdict.score)
            hits.append(tuple((hit.id, str(hit.mode)) for hit in verdict.hits))
            flooding.update(_flooding(verdict.alerts))
    flooding.update(rule for one in met for rule in _flooding(one.alerts))
    return JudgedOrders(
        ids,
        np.array(values),
        np.array(currencies, np.str_),
        np.array(actions, np.int8),
        np.array(scores, np.int8),
        hits,
        sorted(flooding),
        met,
    )


def _flooding(alerts: Sequence[RaisedAlert]) -> Iterator[str]:
    """The rules that met too much, by what ``alerts`` tell."""
    return (alert.subject[1] for alert in alerts if alert.subject[0] == "rule")


def _labelled(recording: Iterable[RecordedBatch], outcomes: Outcomes) -> Iterator[RecordedBatch]:
    """The batches, whose labels ``outcomes`` take in."""
    decode = msgspec.json.Decoder(Label).decode
    for batch in recording:
        for topic, value in zip(batch.topics, batch.values, strict=True):
            if topic == LABELS:
                try:
                    outcomes.take(decode(value))
                except msgspec.DecodeError:
                    continue  # a dead letter of the replay
        yield batch
