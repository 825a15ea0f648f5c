"""The slots of a shopper's text: what is wanted, of which maker, in which colour and size, and for how much."""

from bisect import bisect_left, bisect_right

import msgspec

from app.text.candidates import candidates
from app.text.compounds import joined
from app.text.folding import fold
from app.text.guesses import guess
from app.text.lexicon import lexicon, tokenise
from app.text.numbers import has_number, has_number_word
from app.text.prices import NO_PRICE, price
from app.text.reading import Reading
from app.text.sizes import sizes
from app.text.wishes import Wishes


class Slots(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a text asks for; None is not named. Prices are in major units of ``currency``, an ISO 4217 code."""

    category: str | None = None
    brand: str | None = None
    color: str | None = None
    size: str | None = None
    price_min: float | None = None
    price_max: float | None = None
    currency: str | None = None


def slots_of(text: str) -> Slots:
    """The slots of ``text`` in Chinese, English or both; any string will do, and none raises."""
    folded = fold(text)
    tokens = tokenise(folded)
    at = Reading(text, tokens, lexicon().hits(tokens))
    numeric = has_number(folded, tokens)
    if numeric and (spans := sizes(folded, _departments(at))):
        _put_sizes(at, spans)
    wanted = Wishes(tokens).read(joined(tokens, list(candidates(at)))) if at.hits else {}
    said = {slot: at.written(hit) for slot, hit in wanted.items()}
    if "category" not in said and (guessed := guess(folded)):
        said["category"] = text[slice(*guessed)]
    named = "category" in said or "brand" in said
    low, high, currency = price(folded, named, has_number_word(tokens)) if numeric else NO_PRICE
    color = wanted["color"][3] if "color" in wanted else None
    return Slots(said.get("category"), said.get("brand"), color, said.get("size"), low, high, currency)


_HINTS = {"双": "shoes", "床": "home"}


def _departments(at: Reading) -> set[str]:
    named = {hit[3] for hit in at.hits if hit[0] == "category"}
    return named.union(department for hint, department in _HINTS.items() if hint in at.tokens)


def _put_sizes(at: Reading, spans: list[tuple[int, int]]) -> None:
    """Put sizes written in numbers among the hits, in order; a size hides the words inside it."""
    offsets = at.offsets
    found = [("size", bisect_right(offsets, start) - 1, bisect_left(offsets, end), "") for start, end in spans]
    taken = {token for _, start, end, _ in found for token in range(start, end)}
    at.hits = sorted([hit for hit in at.hits if hit[1] not in taken] + found, key=lambda hit: hit[1])
