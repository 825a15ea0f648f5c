"""Questions with several answers, the intent and what the next click is, beside what is usual."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.models.outlook import FIRST_ACTION
from app.models.runtime import IntentScorer
from app.training.click_sets import ClickSet
from app.training.figures import class_figures
from app.training.sources import LEARN
from schemas.events import CLICK_CODES
from schemas.outputs import INTENTS, NEXT_ACTIONS

Choices = dict[str, dict[str, dict[str, float]]]
Ints = NDArray[np.int64]

_CLASSES: Final = {"intent": len(INTENTS), "next_action": len(NEXT_ACTIONS)}


def choices(one: ClickSet, rows: NDArray[np.bool_], model: IntentScorer, known: ClickSet | None) -> Choices:
    """How well ``model`` names the right answer about the ``rows`` [n] of a set, by question.

    Beside it stand, learned from the part LEARN of ``known``, ``prior``, what is usual, and ``transitions``, what is
    usual after a click of this type; None leaves them out.
    """
    probabilities, _, outlook = one.scored(model)
    said = {"intent": probabilities, "next_action": outlook[:, FIRST_ACTION:]}
    learned = {} if known is None else dict(_truths(known))
    found: Choices = {}
    for name, truth in _truths(one):
        if not np.isfinite(said[name]).all():
            continue
        guesses = {"model": said[name][rows]}
        if known is not None and name in learned:
            learn = known.part == LEARN
            guesses |= _usual(learned[name][learn], known.rows.type[learn], one.rows.type[rows], _CLASSES[name])
        found[name] = {who: class_figures(truth[rows], guess) for who, guess in guesses.items()}
    return found


def _truths(one: ClickSet) -> Iterator[tuple[str, Ints]]:
    """The right answers [n] that a set can tell, by question; without a single order it tells no intents."""
    if one.labels.purchase.any():
        yield "intent", one.labels.intent
    yield "next_action", one.outlook.next


def _usual(truth: Ints, types: Ints, asked: Ints, classes: int) -> dict[str, NDArray[np.floating]]:
    """Probabilities [m, classes] for clicks of types ``asked`` [m], from answers and types [n] of the past."""
    share = np.bincount(truth, minlength=classes) / len(truth)
    after = np.zeros((len(CLICK_CODES), classes))
    np.add.at(after, (types, truth), 1)
    after += share  # one click more of each type, which went on as usual: a type that was never seen goes on so
    return {"prior": np.tile(share, (len(asked), 1)), "transitions": (after / after.sum(axis=1, keepdims=True))[asked]}
