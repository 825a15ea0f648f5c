"""Which words of a text may fill a slot, once what stands beside them is looked at."""

from collections.abc import Callable, Iterator

from app.text.lexicon import Hit
from app.text.reading import Reading
from app.text.words import group

_MEASURES = frozenset(group("measure"))
_FOOD = frozenset(group("food"))
_COLOR_TAILS = frozenset("的款")
_CUES = frozenset(("want", "change", "reject", "received", "owned", "rejected before"))
_PRODUCT = frozenset(("category",))
_BEFORE_PRODUCT = frozenset(("want", "received", "owned"))
_NAMES = frozenset(("category", "brand", "common word brand", "brand or food", "one character", "use"))
_BEFORE_LETTER = frozenset(group("before letter size"))
_CHINESE_BEFORE_LETTER = frozenset(word for word in _BEFORE_LETTER if not word.isascii())
_AFTER_LETTER = frozenset(group("after letter size"))
_BEFORE_WORD = frozenset((",", *group("before word size")))
_AFTER_WORD = frozenset((",", *group("after word size")))
_AFTER_WORD_HITS = frozenset(("color", "instead", "change"))
_COLORS = frozenset(("color", "bare color"))
_CHOICES = frozenset(group("choice")) | {" ", ","}
_WORN = ("clothing", "shoes")
_JOINING = frozenset("'-&_@#")


def candidates(at: Reading) -> Iterator[Hit]:
    """The hits of a reading that mean what they seem to, cues among them; ambiguous kinds are settled or left out."""
    for index, hit in enumerate(at.hits):
        settle = _SETTLED.get(hit[0])
        kind = hit[0] if settle is None else settle(at, index)
        if kind:
            yield hit if kind == hit[0] else (kind, *hit[1:])


def _bare_color(at: Reading, index: int) -> str:
    tail = at.after(at.hits[index][2])
    return "color" if tail in _COLOR_TAILS or at.adjoins(index, _NAMES) or at.follows(index, _CUES) else ""


def _one_character(at: Reading, index: int) -> str:
    _, start, end, _ = at.hits[index]
    alone = start == 0 and (end == len(at.tokens) or at.tokens[end] == " ")
    touched = at.follows(index, _BEFORE_PRODUCT) or (index > 0 and at.hits[index - 1][2] == start)
    named = alone or at.before(start) in _MEASURES or (touched and at.after(end) != "子")
    return "category" if named else ""


def _brand_or_food(at: Reading, index: int) -> str:
    return "brand" if _FOOD.isdisjoint(at.tokens) else "category"


def _common_word_brand(at: Reading, index: int) -> str:
    _, start, end, _ = at.hits[index]
    if at.adjoins(index, _NAMES) or end - start == len(at.tokens) or _compared(at, index):
        return "brand"
    if not at.tokens[start].isascii():
        return "brand" if at.follows(index, _CUES) or at.after(end) == "牌" else ""
    return "brand" if _is_capital(at, start) and at.before(start) not in ("", ".", "!", "?") else ""


def _compared(at: Reading, index: int) -> bool:
    """Whether a brand follows behind words of choosing: ``ninja or vitamix``."""
    following = at.hits[index + 1] if index + 1 < len(at.hits) else None
    between = at.tokens[at.hits[index][2] : following[1]] if following else []
    return following is not None and following[0] == "brand" and bool(between) and _CHOICES.issuperset(between)


def _is_capital(at: Reading, position: int) -> bool:
    """Whether a token is written with a capital in a text that is not all capitals."""
    return at.text[at.offsets[position]].isupper() and not at.text.isupper() and not at.text.istitle()


def _letter(at: Reading, index: int) -> str:
    _, start, end, _ = at.hits[index]
    before, after = at.before(start), at.after(end)
    if not _alone(at, index):
        return ""
    if before in ("size", "sizes") or at.follows(index, _CUES):
        return "size"
    chinese = before in _CHINESE_BEFORE_LETTER and (not after or after in _AFTER_LETTER)
    spoken = not before or not after or before in _BEFORE_LETTER or after in _AFTER_LETTER or at.adjoins(index, _NAMES)
    return "size" if chinese or (spoken and at.text[at.offsets[start]].isupper()) else ""


def _word(at: Reading, index: int) -> str:
    _, start, end, _ = at.hits[index]
    before, after = at.before(start), at.after(end)
    following = at.hits[index + 1] if index + 1 < len(at.hits) else ("", len(at.tokens) + 9, 0, "")
    worn = following[1] <= end + 1 and (following[3] in _WORN or following[0] in _AFTER_WORD_HITS)
    if worn or before in ("size", "sizes") or (not after and at.follows(index, _COLORS)):
        return "size"
    ends = not after or after in _AFTER_WORD
    return "size" if ends and (not before or before in _BEFORE_WORD or at.follows(index, _CUES)) else ""


def _bed(at: Reading, index: int) -> str:
    beside = at.adjoins(index, _PRODUCT) and at.hits[index + 1][3] == "home"
    return "size" if beside else ""


def _always(at: Reading, index: int) -> str:
    return "size" if _alone(at, index) else ""


def _alone(at: Reading, index: int) -> bool:
    """Whether neither a letter, nor a digit, nor a joining sign touches the word."""
    _, start, end, _ = at.hits[index]
    beside = (at.tokens[start - 1] if start else " ", at.tokens[end] if end < len(at.tokens) else " ")
    return not any(sign in _JOINING or (sign < "\u2e80" and sign.isalnum()) for sign in beside)


def _color_or_cream(at: Reading, index: int) -> str:
    _, start, end, _ = at.hits[index]
    colored = at.adjoins(index, _NAMES) or at.before(start) in ("in", "color", "colour") or at.after(end) == "one"
    named = index > 0 and at.hits[index - 1][0] == "category" and at.hits[index - 1][2] >= start - 1
    return "color" if colored or named else "category"


_SETTLED: dict[str, Callable[[Reading, int], str]] = {
    "bare color": _bare_color,
    "one character": _one_character,
    "brand or food": _brand_or_food,
    "color or cream": _color_or_cream,
    "common word brand": _common_word_brand,
    "letter size": _letter,
    "word size": _word,
    "bed size": _bed,
    "always size": _always,
}
