"""The gazetteers as one trie of tokens, and the longest words of it in a text."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from app.text.folding import fold
from app.text.words import FOLDER, named, words

Hit = tuple[str, int, int, str]
"""Kind of word, its first token, the token after its last one, and the value it stands for."""

_TOKEN = re.compile(r"[a-z]+|[0-9]+|.", re.DOTALL)
_ENTRY = ""  # the key of a node's own (kind, value): no token is empty
_Entry = tuple[str, str]
_Node = dict[str, Any]

tokenise = _TOKEN.findall
"""Tokens that tile a folded text: a Latin word, a number, or one other character."""


class Lexicon:
    """Words of several kinds in a trie of tokens, looked up by the token.

    A word that no longer word continues is its bare entry instead of a node: most are, and the less memory a lookup
    touches, the faster it is.
    """

    def __init__(self, words: Iterable[tuple[str, str, str]]) -> None:
        """Take (kind, value, folded word); of two kinds of one word the earlier holds."""
        root: _Node = {}
        for kind, value, word in words:
            node = root
            for token in tokenise(word):
                node = node.setdefault(token, {})
            node.setdefault(_ENTRY, (kind, value))
        self._find = _compact(root).get

    def hits(self, tokens: list[str]) -> list[Hit]:
        """The longest known words of ``tokens``, from left to right, none overlapping."""
        hits = []
        free = 0
        for start, node in enumerate(map(self._find, tokens)):
            if node is None or start < free:
                continue
            if node.__class__ is tuple:
                hits.append((node[0], start, start + 1, node[1]))
                continue
            end, entry = _longest(node, tokens, start + 1)
            if entry is not None:
                hits.append((entry[0], start, end, entry[1]))
                free = end
        return hits


def _compact(node: _Node) -> _Node:
    return {
        token: below if token == _ENTRY else below[_ENTRY] if below.keys() == {_ENTRY} else _compact(below)
        for token, below in node.items()
    }


def _longest(node: _Node, tokens: list[str], position: int) -> tuple[int, _Entry | None]:
    end, entry = position, node.get(_ENTRY)
    last = len(tokens)
    while position < last:
        below = node.get(tokens[position])
        if below is None:
            break
        position += 1
        if below.__class__ is tuple:
            return position, below
        node = below
        if _ENTRY in node:
            end, entry = position, node[_ENTRY]
    return end, entry


@cache
def lexicon() -> Lexicon:
    """The package's own gazetteers, read once."""
    return Lexicon(
        (kind, value, form)
        for kind, value, word in _all_words()
        for form in (_forms(fold(word)) if kind in _INFLECTED else _spellings(fold(word)))
    )


_INFLECTED = ("category", "one character")
_COLORS = {"colors": "color", "bare_colors": "bare color", "colors_or_creams": "color or cream"}
_FILES = {
    "brands": "brand",
    "brands_or_foods": "brand or food",
    "common_word_brands": "common word brand",
    "product_lines": "line",
    "compound_heads": "use",
    "one_character_products": "one character",
}


def _all_words() -> Iterator[tuple[str, str, str]]:
    """Kind, value and word; of two kinds of one word the earlier holds."""
    for name, kind in _COLORS.items():
        yield from ((kind, value, word) for value, word in named(FOLDER.joinpath(f"{name}.txt")))
    for file in sorted(FOLDER.joinpath("products").iterdir(), key=lambda file: file.name):
        department = file.name.removesuffix(".txt")
        yield from (("category", department, word) for word in words(file))
    yield from ((f"{kind} size", "", word) for kind, word in named(FOLDER.joinpath("sizes.txt")))
    for name, kind in _FILES.items():
        yield from ((kind, "", word) for word in words(FOLDER.joinpath(f"{name}.txt")))
    yield from ((kind, "", word) for kind, word in named(FOLDER.joinpath("cues.txt")))


def _forms(word: str) -> Iterator[str]:
    for spelling in _spellings(word):
        yield spelling
        if spelling.isascii():
            yield from plurals(spelling)


def _spellings(word: str) -> Iterator[str]:
    yield word
    if word.isascii() and word.count(" ") == 1:
        yield word.replace(" ", "-")


def plurals(word: str) -> Iterator[str]:
    """Regular plurals of an English word, none if it is one already."""
    if word.endswith(("ss", "sh", "ch", "x")):
        yield f"{word}es"
    elif word.endswith("y") and word[-2:-1] not in "aeiou":
        yield f"{word[:-1]}ies"
    elif not word.endswith("s"):
        yield f"{word}s"
