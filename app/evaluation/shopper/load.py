"""Read the shopper test, one JSON line per text."""

from functools import cache
from importlib.resources import files
from typing import Literal

from msgspec import Struct, field
from msgspec.json import Decoder

from schemas.outputs import Language, QueryIntent

ShopLanguage = Literal["zh", "en"]
SlotTruth = dict[str, str | float]


class Example(Struct, frozen=True, forbid_unknown_fields=True):
    """A text and what a careful reader finds in it.

    `slots` holds only what is named, under the contract's slot names: prices in major units, all else text.
    It is a plain dictionary so that the truth does not share a type with the recogniser it judges.
    """

    text: str
    query_intent: QueryIntent
    language: Language
    slots: SlotTruth = field(default_factory=dict)


_LINES = Decoder(Example)


@cache
def held_out() -> frozenset[str]:
    """Every text of the test, folded by `folded`: no model may learn one."""
    return frozenset(folded(one.text) for one in (*shopper("zh"), *shopper("en")))


def folded(text: str) -> str:
    """The text without what makes no other text of it: case, and space and full stops around it."""
    return text.casefold().strip(" .。!！?？~～")


def shopper(language: ShopLanguage) -> list[Example]:
    """Return the test of the shop in `language`, in file order.

    A few texts of each shop are in other languages, as in life. Raises `msgspec.ValidationError` on a line that does
    not fit the contract.
    """
    return _LINES.decode_lines(files(__package__).joinpath(f"{language}.jsonl").read_bytes())
