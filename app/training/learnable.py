"""What a data set must have before anything can be learned from it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.cli.errors import UsageProblem
from app.training.sources import CHOOSE, LEARN, MEASURE

_NAMES = {LEARN: "learned from", CHOOSE: "chosen by", MEASURE: "measured on"}


def require_learnable(name: str, part: NDArray[np.int64], truth: NDArray[Any], what: str) -> None:
    """See that every part of a data set has rows of both kinds.

    Args:
        name: of the set.
        part: of each row [n]; rows of none are left out.
        truth: of each row [n].
        what: came true, in the plural: "purchases".

    Raises:
        UsageProblem: a part has no rows, or only rows of one kind.
    """
    for number, use in _NAMES.items():
        require_both(name, truth[part == number], use, what)


def require_both(name: str, truth: NDArray[Any], use: str, what: str) -> None:
    """See that rows [n] are of both kinds.

    Args:
        name: of the set.
        truth: of each row [n].
        use: what the rows are for: "learned from".
        what: came true, in the plural: "purchases".

    Raises:
        UsageProblem: there are no rows, or only rows of one kind.
    """
    rows = truth.astype(np.bool_)
    if len(rows) == 0:
        raise UsageProblem(f"of {name} there are no rows to be {use}; give it data of a longer time")
    if rows.all() or not rows.any():
        kind = f"only {what}" if rows.any() else f"no {what} at all"
        raise UsageProblem(
            f"the {len(rows):,} rows of {name} to be {use} have {kind}: one kind alone tells nothing; "
            "give it data of a longer time, or the labels that are missing"
        )
