"""Numbers as people write them: ``1.5k``, ``1w``, ``1千5``, ``一千二``, ``两百五``, ``five hundred``."""

import re

from app.text.words import group

_DIGIT = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"两": 2, "俩": 2, "〇": 0}
_UNIT = {"十": 10, "百": 100, "千": 1_000, "万": 10_000, "k": 1_000, "w": 10_000}
_ENGLISH = {word: value for value, word in enumerate(group("number word"))} | {
    word: 10 * tens for tens, word in enumerate(group("tens"), 2)
}
_SCALE = {"hundred": 100, "thousand": 1_000, "grand": 1_000}

ENGLISH = rf"(?:(?:an?|{'|'.join(_ENGLISH)})\b[ -]?){{0,6}}(?:{'|'.join((*_SCALE, *_ENGLISH))})"
CHINESE = "[一二两俩三四五六七八九十百千万零〇]{1,12}"
WESTERN = r"\d[\d,]*(?:\.\d+)?(?: ?[kw千百万](?![a-z])(?:[1-9](?!\d))?)?"

_WESTERN = re.compile(r"([\d,.]+) ?([kw千百万])?(\d)?")

_ANY = re.compile("[0-9十百千万元块刀欧镑码尺米]")
_WORDS = frozenset((*_SCALE, *_ENGLISH))


def has_number(folded: str, tokens: list[str]) -> bool:
    """Whether a folded text, cut into ``tokens``, may hold a size or an amount of money."""
    return _ANY.search(folded) is not None or has_number_word(tokens)


def has_number_word(tokens: list[str]) -> bool:
    """Whether an English number stands in a text."""
    return not _WORDS.isdisjoint(tokens)


def number(text: str) -> float | None:
    """The value of a number written as ``WESTERN``, ``CHINESE`` or ``ENGLISH`` matches it; None if it is none."""
    if text[0].isdigit():
        return _western(text)
    return _english(text) if text.isascii() else _chinese(text)


def spread(text: str) -> tuple[float, float] | None:
    """Both ends of a Chinese number with two digits in one place: ``七八百`` is 700 to 800, ``十五六`` none."""
    if len(text) < 3 or text[0] not in _DIGIT or text[1] not in _DIGIT or text[2] not in _UNIT:
        return None
    low, high = _chinese(text[0] + text[2:]), _chinese(text[1:])
    return (low, high) if low is not None and high is not None and low < high else None


def scale(text: str) -> int:
    """What the last unit of a number multiplies by: 1,000 for ``3k`` and ``五千``, 1 without one."""
    return _UNIT.get(text[-1], 1)


def _western(text: str) -> float | None:
    match = _WESTERN.match(text)
    digits = match[1].replace(",", "") if match else ""
    if match is None or len(digits) > 12 or digits.count(".") > 1:
        return None
    unit = _UNIT.get(match[2] or "", 1)
    return float(digits) * unit + int(match[3] or 0) * unit / 10


def _chinese(text: str) -> float | None:
    total = section = digit = 0
    last = 1
    for char in text[:12]:
        unit = _UNIT.get(char)
        if unit is None:
            digit = _DIGIT[char]
            last = 10 if char in "零〇" else last
        elif unit == 10_000:
            total, section, digit, last = (total + section + digit) * unit, 0, 0, unit
        else:
            section, digit, last = section + (digit or 1) * unit, 0, unit
    return float(total + section + digit * (last // 10 or 1)) or None


def _english(text: str) -> float | None:
    total = part = 0
    for word in re.findall("[a-z]+", text):
        if word in _SCALE:
            part = (part or 1) * _SCALE[word]
            if _SCALE[word] > 100:
                total, part = total + part, 0
        else:
            part += _ENGLISH.get(word, 0)
    return float(total + part) or None
