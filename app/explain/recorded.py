"""Clicks of a recording explained: they go the very path of a worker, and are explained where it scores them."""

import heapq
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, replace

import numpy as np

from app.effects import Explained, ScoredClicks
from app.explain.contributions import ANSWERS
from app.explain.reasons import reasons
from app.features.scan import Flags
from app.models.outlook import CHANCES, FIRST_ACTION, SESSION_ENDS
from app.ops.settings import Settings
from app.replay.pacing import MonotonicClock
from app.replay.recorded import Recording
from app.replay.run import replay
from app.scoring.explaining import Explaining
from app.step import Models
from app.worker.assembly import build_pipeline
from schemas.outputs import INTENTS, NEXT_ACTIONS, IntentReason

Advance = Callable[[int], None]

COMPARED_WITH = "a new visitor's first page view at noon UTC"


@dataclass(frozen=True, slots=True)
class Why:
    """An answer about a click: what it is (an intent, the type of the next click), its ``probability``, that of what
    the click is compared with, and what moved it, in points of the probability."""

    answer: str
    probability: float
    base: float
    reasons: list[IntentReason]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a click was scored so, by the names of `app.explain.contributions.ANSWERS`."""

    event_id: str
    user_id: str
    ts: int
    answers: dict[str, Why]


async def most_probable(recording: Recording, models: Models, settings: Settings, most: int, done: Advance) -> set[str]:
    """The ids of the ``most`` clicks whose purchase is most probable; of equals the later ones."""
    best: list[tuple[float, int, str]] = []
    async for clicks in _scored(recording, models, settings, done):
        finite = np.isfinite(clicks.purchase)
        for chance, id_ in zip(clicks.purchase[finite].tolist(), clicks.where(finite).event_ids, strict=True):
            entry = (chance, len(best), id_)
            if len(best) < most:
                heapq.heappush(best, entry)
            elif entry > best[0]:
                heapq.heapreplace(best, entry)
    return {id_ for _, _, id_ in best}


async def explanations(
    recording: Recording, models: Models, settings: Settings, ids: Collection[str], pairs: int, done: Advance
) -> list[Explanation]:
    """Why the clicks named by ``ids`` were scored as they were, in the order of the recording.

    Args:
        recording: that has them.
        models: score it.
        settings: of the replay.
        ids: of events; those that are no scored clicks are left out.
        pairs: of orders: see `app.explain.contributions`.
        done: is told how many events have been read.
    """

    def chosen(clicks: ScoredClicks) -> Flags:
        return np.array([id_ in ids for id_ in clicks.event_ids], np.bool_)

    explaining = replace(models, explaining=Explaining(chosen, pairs))
    found: list[Explanation] = []
    async for clicks in _scored(recording, explaining, settings, done):
        for place, why in enumerate(clicks.explained or ()):
            if why is not None:
                found.append(_explanation(clicks, place, why))
    return found


async def _scored(
    recording: Recording, models: Models, settings: Settings, done: Advance
) -> AsyncIterator[ScoredClicks]:
    unwaiting = settings.model_copy(update={"max_idle_ms": 0})
    pipeline = build_pipeline(unwaiting, models, settings.partitions)
    read = 0
    async for work in replay(recording, pipeline, settings.partitions, lambda: 0, MonotonicClock()):
        read += work.records
        done(read)
        for clicks in work.effects.clicks:
            yield clicks


def _explanation(clicks: ScoredClicks, place: int, why: Explained) -> Explanation:
    row = slice(place, place + 1)
    base = 1 / (1 + np.exp(-why.base))
    answers = {}
    for number, (name, (answer, probability)) in enumerate(_answers(clicks, place, len(base)).items()):
        told = reasons(np.array([probability]), why.added[None, number], clicks.features[row])[0]
        answers[name] = Why(answer, round(float(probability), 6), round(float(base[number]), 6), told)
    return Explanation(clicks.clicks[place].event_id, clicks.users[place], int(clicks.ts[place]), answers)


def _answers(clicks: ScoredClicks, place: int, known: int) -> dict[str, tuple[str, np.float32]]:
    """The first ``known`` of the answers about a click, and their probabilities."""
    intent, outlook = int(clicks.intent[place]), clicks.outlook[place]
    action = int(outlook[FIRST_ACTION:].argmax())
    found = [("purchase", clicks.purchase[place]), (INTENTS[intent], clicks.probabilities[place, intent])]
    found += zip(CHANCES, outlook, strict=False)
    found += [("exit", outlook[SESSION_ENDS]), (NEXT_ACTIONS[action], outlook[FIRST_ACTION + action])]
    return dict(zip(ANSWERS[:known], found[:known], strict=True))
