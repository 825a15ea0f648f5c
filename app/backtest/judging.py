"""Recorded orders through the step, under one ruleset: what was decided on each, and what turned out."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

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

    ``action`` is the severity of what was decided, ``score`` -1 where there was none; ``hits`` are the rules that each
    met, by id and mode; ``shadowed`` names the rules that the guard put in shadow.
    """

    ids: list[str]
    value: NDArray[np.float64]
    action: NDArray[np.int8]
    score: NDArray[np.int8]
    hits: list[tuple[tuple[str, str], ...]]
    shadowed: list[str]


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
    ids: list[str] = []
    values: list[float] = []
    actions: list[int] = []
    scores: list[int] = []
    hits: list[tuple[tuple[str, str], ...]] = []
    flooding: Counter[str] = Counter()
    for effects in replayed(_labelled(recording, outcomes), lifetimes, done, models):
        for scored in effects.orders:
            for place in np.argsort(scored.position).tolist():
                order, verdict = scored.orders[place], scored.verdicts[place]
                ids.append(order.order_id)
                values.append(order.value)
                actions.append(SEVERITY[verdict.action])
                scores.append(-1 if verdict.score is None else verdict.score)
                hits.append(tuple((hit.id, str(hit.mode)) for hit in verdict.hits))
                flooding.update(alert.subject[1] for alert in verdict.alerts if alert.subject[0] == "rule")
    judged = JudgedOrders(
        ids, np.array(values), np.array(actions, np.int8), np.array(scores, np.int8), hits, sorted(flooding)
    )
    return judged, outcomes


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
