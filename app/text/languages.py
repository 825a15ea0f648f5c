"""The language of a text: by its script where that settles it, by the model's word where letters are Latin."""

import re
from typing import Final

from schemas.outputs import Language

_HAN: Final = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
_LATIN_WORDS: Final = re.compile("[A-Za-z\uff21-\uff3a\uff41-\uff5a\u00c0-\u024f]+")
_OTHER_LETTERS: Final = re.compile(
    "[\u0370-\u1fff\u3041-\u30ff\u3130-\u318f\uac00-\ud7af\u0900-\u0dff\u0e00-\u0eff\ufb1d-\ufdff\ufe70-\ufefc]"
)
_WORDS_PER_HAN: Final = 2  # a Chinese character says as much as half a word, and names are often Latin


def language_of(text: str, foreign: float) -> Language:
    """Chinese if Chinese characters carry it, English if Latin words do, else other.

    Args:
        text: any.
        foreign: the model's probability that it is neither Chinese nor English.
    """
    if text.isascii():
        return "other" if not _LATIN_WORDS.search(text) or foreign > 0.5 else "en"
    han, others = len(_HAN.findall(text)), len(_OTHER_LETTERS.findall(text))
    latin = len(_LATIN_WORDS.findall(text))
    if han and han >= 2 * others and han * _WORDS_PER_HAN >= latin:
        return "zh"
    return "en" if latin and latin > others and not foreign > 0.5 else "other"


def has_words(text: str) -> bool:
    """Whether it has a letter of any script; what has none is no sentence."""
    return any(map(str.isalpha, text))
