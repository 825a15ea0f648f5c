"""Training texts made from templates and written texts, so that greetings, products, numbers and typos stop mattering.

A template holds `{name}` for one of the fillers of that name, `(a|b)` for one of several wordings, `[a|b]` for one of
them or none, and `#` for a digit. What is made depends on the random generator alone.
"""

import random
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from app.training.corpus.load import INTENTS, ROOT, Labelled, lines, written
from app.training.corpus.typing_slips import slipped
from schemas.outputs import QueryIntent

Written = Literal["zh", "en"]

FILLER: Final = re.compile(r"\{(\w+)\}")
CHOICE: Final = re.compile(r"\(([^()\[\]]*)\)|\[([^()\[\]]*)\]")
# Shares of made texts: half vary a written text, since those are phrased most freely.
FROM_WRITTEN: Final = 0.5
OPENED: Final = 0.3
EXPLAINED: Final = 0.08
CLOSED: Final = 0.25
SLIPPED: Final = 0.15


@dataclass(frozen=True, slots=True)
class Grammar:
    """One language's templates and written texts by intent, and what fills them."""

    language: Written
    templates: dict[QueryIntent, list[str]]
    texts: dict[QueryIntent, list[str]]
    fillers: dict[str, list[str]]

    def text(self, intent: QueryIntent, rng: random.Random) -> str:
        """Make one text of an intent: a wording with, at times, an opener, a context, a closer and a slip of typing."""
        from_written = rng.random() < FROM_WRITTEN
        core = rng.choice(self.texts[intent]) if from_written else self._from_template(intent, rng)
        made = self._sometimes("context", EXPLAINED, rng) + core + self._sometimes("closer", CLOSED, rng)
        made = self._sometimes("opener", OPENED, rng) + made
        return slipped(made, self.language, rng) if rng.random() < SLIPPED else made

    def expanded(self, template: str, rng: random.Random) -> str:
        """Choose wordings, fill in names and digits; a name without fillers raises `KeyError`."""
        while CHOICE.search(template):
            template = CHOICE.sub(lambda found: _choice(found, rng), template)
        filled = FILLER.sub(lambda found: self.expanded(rng.choice(self.fillers[found[1]]), rng), template)
        return _tidied(re.sub("#", lambda _: rng.choice("123456789"), filled))

    def _from_template(self, intent: QueryIntent, rng: random.Random) -> str:
        return self.expanded(rng.choice(self.templates[intent]), rng)

    def _sometimes(self, name: str, share: float, rng: random.Random) -> str:
        return rng.choice(self.fillers[name]) if rng.random() < share else ""


def grammar(language: Written, texts: Sequence[Labelled]) -> Grammar:
    """Read a language's templates and fillers, and group its written texts by intent."""
    fillers = tomllib.loads((ROOT / f"fillers_{language}.toml").read_text(encoding="utf-8"))
    templates = {intent: lines(ROOT / "templates" / language / f"{intent}.txt") for intent in INTENTS}
    own = [text for text in texts if text.language == language]
    by_intent = {intent: [text.text for text in own if text.intent == intent] for intent in INTENTS}
    return Grammar(language, templates, by_intent, fillers)


def generated(rng: random.Random, count: int) -> list[Labelled]:
    """Make `count` texts: languages alternate and intents take turns, so that all are equally many."""
    texts = written()
    grammars = (grammar("zh", texts), grammar("en", texts))
    turns = ((grammars[turn % 2], INTENTS[turn // 2 % len(INTENTS)]) for turn in range(count))
    return [Labelled(source.text(intent, rng), intent, source.language) for source, intent in turns]


def _choice(found: re.Match[str], rng: random.Random) -> str:
    always, at_times = found.groups()
    if always is None and rng.random() < 0.5:
        return ""
    wordings: str = at_times if always is None else always
    return rng.choice(wordings.split("|"))


def _tidied(text: str) -> str:
    return re.sub(r" +(?=[,.?!:' ]|$)", "", text).strip()
