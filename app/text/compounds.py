"""Product names of several words: ``yoga`` + ``mat``, ``camera`` + ``bag``, ``蓝牙`` + ``音箱``."""

from app.text.lexicon import Hit
from app.text.words import group

_TAILS = frozenset(group("tail"))
_NO_TAIL = frozenset(group("after no tail"))
_JOINTS = ([" "], ["-"])
_DEVICES = frozenset(group("device"))
_FOR_DEVICES = ("electronics", "bags")
_HEADS = ("category", "use")
_PLURAL_ALONE = ("jeans", "sunglasses", "glasses", "headphones", "clothes", "sports", "pants")


def joined(tokens: list[str], hits: list[Hit]) -> list[Hit]:
    """The hits, a product and the product or word of use right before it made one of the last one's department."""
    names: list[Hit] = []
    starts = {hit[1] for hit in hits}
    for hit in hits:
        if hit[0] == "category":
            hit = _with_tail(tokens, hit, starts)
        while hit[0] == "category" and names and _makes_one(tokens, names[-1], hit):
            hit = ("category", names.pop()[1], hit[2], hit[3])
        names.append(hit)
    return names


def _with_tail(tokens: list[str], hit: Hit, starts: set[int]) -> Hit:
    """The hit, and the noun of a holder or the like right behind it: ``茶几`` + ``垫``, ``phone`` + ``pouch``."""
    end = hit[2]
    latin = tokens[end - 1].isascii()
    if latin and tokens[end : end + 1] != [" "]:
        return hit
    tail = end + 1 if latin else end
    if tail >= len(tokens) or tokens[tail] not in _TAILS or tail in starts or _is_plural(tokens, hit):
        return hit
    after = next((token for token in tokens[tail + 1 : tail + 3] if token != " "), "")
    if after in _NO_TAIL or latin != tokens[tail].isascii():
        return hit
    return (hit[0], hit[1], tail + 1, hit[3])


def _makes_one(tokens: list[str], first: Hit, second: Hit) -> bool:
    if first[0] not in _HEADS:
        return False
    gap = tokens[first[2] : second[1]]
    latin, both = tokens[second[1]].isascii(), tokens[first[2] - 1].isascii() == tokens[second[1]].isascii()
    return both and (
        gap in _JOINTS and not _is_plural(tokens, first) if latin else not gap and _may_lead(tokens, first, second)
    )


def _is_plural(tokens: list[str], hit: Hit) -> bool:
    last = tokens[hit[2] - 1]
    return hit[0] == "category" and last.endswith("s") and last not in _PLURAL_ALONE


def _may_lead(tokens: list[str], first: Hit, second: Hit) -> bool:
    """Whether the first of two Chinese names tells the use of the second: a word of use, or a device."""
    return first[0] == "use" or ("".join(tokens[first[1] : first[2]]) in _DEVICES and second[3] in _FOR_DEVICES)
