"""What the heads of an intent model are asked about a click, and the true answers as training wants them."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.models.outlook import CHANCES
from app.training.click_sets import ClickSet, shares
from schemas.outputs import INTENTS, NEXT_ACTIONS

QUESTIONS: Final = ("intent", "purchase", *CHANCES, "next")
"""In the order of the heads' columns; an answer is a class where there are several columns, else 0 or 1."""

WIDTHS: Final = (len(INTENTS), 1, *[1] * len(CHANCES), len(NEXT_ACTIONS))
"""How many columns each question has."""

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def answers_of(sets: Sequence[ClickSet]) -> Ints:
    """The true answers [N, questions] about every click of all sets."""
    return np.concatenate([_answers(one) for one in sets])


def weights_of(sets: Sequence[ClickSet], parts: Sequence[int]) -> Floats:
    """How much each answer counts [N, questions]: sets alike, clicks outside ``parts`` and answers that are not known
    not at all. A set without a single order says nothing of orders and carts, only what comes next."""
    known = np.concatenate([_known(one, parts) for one in sets])
    return np.asarray(shares(sets, parts)[:, None] * known, np.float32)


def _answers(one: ClickSet) -> Ints:
    labels, outlook = one.labels, one.outlook
    columns = labels.intent, labels.purchase, outlook.within_day, labels.abandons, outlook.same_category, outlook.next
    return np.stack([np.asarray(column, np.int64) for column in columns], axis=1)


def _known(one: ClickSet, parts: Sequence[int]) -> NDArray[np.bool_]:
    n = len(one.rows.ts)
    sells = np.full(n, bool(one.labels.purchase.any()))
    until = one.rows.ts[np.isin(one.part, parts)].max(initial=0)
    day = sells & one.outlook.day_known_until(until)
    return np.stack([sells, sells, day, sells, one.outlook.category_known, np.ones(n, np.bool_)], axis=1)
