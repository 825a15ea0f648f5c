"""What a click model may say besides the intents and the purchase: the columns of its output ``outlook``."""

from typing import Final

from schemas.outputs import NEXT_ACTIONS

CHANCES: Final = ("purchase_24h", "abandonment", "same_category")
"""Probabilities by themselves: of an order within 24 hours; of a session that leaves a cart; and, if the next click of
the session and this one have a category, that it is the same."""

OUTLOOK: Final = (*CHANCES, *(f"next_{name}" for name in NEXT_ACTIONS))
"""Columns of the output; those of the next click's type sum to 1, ``next_none`` is the end of the session."""

FIRST_ACTION: Final = len(CHANCES)
SESSION_ENDS: Final = len(OUTLOOK) - 1
