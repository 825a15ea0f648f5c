"""What a shopper wants to pay: ``500元左右``, ``under $50``, ``100-300``, ``预算两千``."""

import re
from collections.abc import Callable
from typing import NamedTuple

from app.text import price_words as words
from app.text.numbers import CHINESE, ENGLISH, WESTERN, number, scale, spread

_SIGN = r"us\$|hk\$|[$¥£€]|(?:rmb|usd|cny|eur|gbp|jpy|人民币)\s?"


def _amount(number: str) -> re.Pattern[str]:
    """One amount, or two joined to a range, with the signs and units of money around them."""
    return re.compile(
        rf"(?<![a-z0-9.#_/])(?<!\d,)(?<![几数])(?:(?P<sign>{_SIGN})\s?|(?<![-]))(?P<number>{number})"
        rf"(?:(?:\s?(?P<unit1>{words.UNIT}))?\s?(?P<joint>[-~]|到|至|to|and|or|或者?)\s?(?:{_SIGN})?(?P<high>{number}))?"
        rf"(?P<more>\+|多(?!少)|来|几|余)?(?:[\s-]?(?P<unit>{words.UNIT}))?"
    )


_IN_FIGURES = _amount(rf"{WESTERN}|{CHINESE}")
_IN_WORDS = _amount(rf"{WESTERN}|{CHINESE}|\b(?:{ENGLISH})\b")
_MEASURE = re.compile(words.MEASURE)
_GAPS = str.maketrans(",.?!:;()", " " * 8)
_AROUND = 0.2
_AROUND_THE = (" around the", " about the")


class Price(NamedTuple):
    """Bounds in major units and an ISO 4217 code; None is not said."""

    low: float | None = None
    high: float | None = None
    currency: str | None = None


NO_PRICE = Price()


def price(folded: str, keywords: bool, words_too: bool) -> Price:
    """The first price wanted in a folded text.

    Args:
        folded: the text.
        keywords: whether a product is named, so that a bare amount is a wish.
        words_too: whether English numbers stand in it.
    """
    if folded.startswith(words.QUESTIONS):
        return NO_PRICE
    for match in (_IN_WORDS if words_too else _IN_FIGURES).finditer(folded):
        if found := _wanted(match, folded, keywords):
            return found
    return NO_PRICE


def _wanted(match: re.Match[str], folded: str, keywords: bool) -> Price | None:
    currency = _currency(match)
    rest = folded[match.end() : match.end() + 24]
    if currency is None and _MEASURE.match(rest):
        return None
    before = " " + folded[max(0, match.start() - 28) : match.start()].rstrip(" ")
    after = rest.translate(_GAPS).lstrip(" ") + " "
    if _is_other(before, after) or (currency is None and _names_it(before)):
        return None
    before = before.translate(_GAPS).rstrip(" 是在就")
    bounds = _range(match, before, folded, currency) or _bounds(match, before, after, folded, currency, keywords)
    return Price(*bounds, currency) if bounds else None


def _currency(match: re.Match[str]) -> str | None:
    return words.CURRENCY.get((match["sign"] or match["unit"] or match["unit1"] or "").strip())


def _is_other(before: str, after: str) -> bool:
    """Whether the amount is a threshold, a discount, a fee or something paid already."""
    owner = before.rstrip("我了你们是在就: ")
    paid = owner.endswith(words.PAID_ENDS) and not before.endswith(words.WISHED_ENDS)
    return paid or after.startswith(words.DISCOUNTED_STARTS)


def _names_it(before: str) -> bool:
    return before.endswith(words.ITEM_ENDS) and not before.endswith(_AROUND_THE)


def _range(match: re.Match[str], before: str, folded: str, currency: str | None) -> tuple[float, float] | None:
    if match["high"] is None:
        both = spread(match["number"])
        return both if both and (currency or not folded[match.end() :].startswith(words.COUNTED)) else None
    low, high = number(match["number"]), number(match["high"])
    if low is None or high is None:
        return None
    if low < high and scale(match["number"]) == 1 and low * 10 < high:
        low *= scale(match["high"])
    worded = match["joint"] in ("and", "or") and "between" not in before
    if low * 50 < high or high > 1_000_000:
        return None
    plain = currency is None and (high < 10 or (low >= 1_900 and high <= 2_100))
    return (low, high) if low < high and not worded and not plain else None


def _bounds(
    match: re.Match[str], before: str, after: str, folded: str, currency: str | None, keywords: bool
) -> tuple[float | None, float | None] | None:
    value = number(match["number"])
    if match["more"] == "几" or value is None or value <= 0 or (currency is None and value < 5):
        return None
    way = _way(before, after, match["more"] or "")
    if way == "min" and any(word in folded for word in words.THRESHOLDS):
        return None
    if not way and keywords and currency and value >= 5 and not _names_an_item(before, folded):
        way = "around"
    return _WAYS[way](value) if way else None


def _way(before: str, after: str, more: str) -> str:
    """How the words beside a number bound it; empty if they do not."""
    for way, ends in words.AFTER_STARTS:
        if after.startswith(ends):
            return way
    if more in ("+", "来"):
        return "min" if more == "+" else "around"
    for way, ends in words.BEFORE_ENDS:
        if before.endswith(ends):
            return way
    return "slightly over" if more in ("多", "余") else ""


def _names_an_item(before: str, folded: str) -> bool:
    """Whether a bare amount only says which thing is meant: ``那件199元的``, ``the $50 one``."""
    return before.endswith(words.ITEM_ENDS) or any(word in folded for word in words.NO_WISHES)


_Bounds = tuple[float | None, float | None]
_WAYS: dict[str, Callable[[float], _Bounds]] = {
    "min": lambda value: (value, None),
    "not under": lambda value: (value, None),
    "max": lambda value: (None, value),
    "around": lambda value: (round(value * (1 - _AROUND), 2), round(value * (1 + _AROUND), 2)),
    "slightly over": lambda value: (value, round(value * (1 + _AROUND), 2)),
}
