"""Slips of typing: letters swapped, dropped, doubled; sounds taken for one another; spaces and marks that vanish."""

import random
from collections.abc import Callable
from typing import Final, Literal

# Characters that the pinyin input method or hurried thumbs mix up.
_MEANT: Final = "的得吗嘛么做在再他她吧把哪那啊帮货码件退款宽"
_TYPED: Final = "得的嘛吗麽作再在她他把吧那哪阿邦或吗建腿宽款"
CONFUSED: Final = dict(zip(_MEANT, _TYPED, strict=True))


def slipped(text: str, language: Literal["zh", "en"], rng: random.Random) -> str:
    """Give the text with one slip; a text too short to slip in comes back as it is."""
    slips = _CHINESE if language == "zh" else _ENGLISH
    return rng.choice(slips)(text, rng) if len(text) > 5 else text


def _swapped(text: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(text) - 1)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _dropped(text: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(text))
    return text[:at] + text[at + 1 :]


def _doubled(text: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(text))
    return text[:at] + text[at - 1] + text[at:]


def _without_marks(text: str, _: random.Random) -> str:
    return "".join(character for character in text if character not in ",.，。？?！!'’")


def _spaced(text: str, _: random.Random) -> str:
    return text.replace("，", " ").replace("。", " ")


def _shouted(text: str, _: random.Random) -> str:
    return text.upper()


def _capitalised(text: str, _: random.Random) -> str:
    return text[0].upper() + text[1:]


def _confused(text: str, rng: random.Random) -> str:
    places = [at for at, character in enumerate(text) if character in CONFUSED]
    if not places:
        return text
    at = rng.choice(places)
    return text[:at] + CONFUSED[text[at]] + text[at + 1 :]


_ENGLISH: Final[tuple[Callable[[str, random.Random], str], ...]] = (
    _swapped,
    _dropped,
    _doubled,
    _without_marks,
    _shouted,
    _capitalised,
)
_CHINESE: Final[tuple[Callable[[str, random.Random], str], ...]] = (_without_marks, _spaced, _confused, _confused)
