"""The hand-written texts: `<language>/<intent>.txt`, one text a line, and `dev_<language>.jsonl` to choose models by.

Every label follows the contract's intents. The texts for choosing are none of the texts for training, and neither is
the test's.
"""

from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Literal, get_args

import msgspec

from schemas.outputs import Language, QueryIntent, SlotValues

LANGUAGES: tuple[Language, ...] = get_args(Language)
INTENTS: tuple[QueryIntent, ...] = get_args(QueryIntent)
ROOT: Traversable = resources.files(__package__ or "app.training.corpus")


@dataclass(frozen=True, slots=True)
class Labelled:
    """One shopper's text with what it wants and the language that carries it."""

    text: str
    intent: QueryIntent
    language: Language


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a file for choosing: the text, its labels and the slots it names (prices in major units)."""

    text: str
    query_intent: QueryIntent
    language: Language
    slots: SlotValues


def written() -> list[Labelled]:
    """Give all hand-written training texts, by language and intent in the order of the contract."""
    return [
        Labelled(text, intent, language)
        for language in LANGUAGES
        for intent in INTENTS
        if (source := ROOT / language / f"{intent}.txt").is_file()
        for text in lines(source)
    ]


def chosen_by(language: Literal["zh", "en"]) -> list[Example]:
    """Give the texts by which models are chosen; a line that does not fit raises `ValueError` with file and number."""
    name = f"dev_{language}.jsonl"
    return [_example(name, number, line) for number, line in enumerate(lines(ROOT / name), start=1)]


def lines(source: Traversable) -> list[str]:
    """Give a file's lines without surrounding space; empty ones are left out."""
    return [line.strip() for line in source.read_text(encoding="utf-8").split("\n") if line.strip()]


def _example(name: str, number: int, line: str) -> Example:
    try:
        return msgspec.json.decode(line, type=Example)
    except msgspec.DecodeError as error:
        raise ValueError(f"{name}, line {number}: {error}. Write text, query_intent, language and slots.") from error
