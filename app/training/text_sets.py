"""What the text model learns from: the written corpus, and public sets for breadth and for how customers feel."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import polars as pl

from app.cli.errors import UsageProblem
from app.evaluation.shopper.load import folded, held_out
from app.models.manifest import DataFile
from app.training.corpus.grammar import generated
from app.training.corpus.load import written
from app.training.text_graph import Floats
from app.training.text_maps import INTENTS_OF
from app.training.text_trainer import Head
from schemas.outputs import QUERY_INTENTS

HEADS: Final = (Head("intents", len(QUERY_INTENTS)), Head("foreign", 1), Head("satisfied", 1), Head("solved", 1))
PLACES: Final = {"foreign": len(QUERY_INTENTS), "satisfied": len(QUERY_INTENTS) + 1, "solved": len(QUERY_INTENTS) + 2}
"""Columns of the single outputs, after those of the intents."""

_GENERATED: Final = 16_000
_WRITTEN_TIMES: Final = 2  # what people phrased freely counts double
_REVIEWS: Final = 4_000
_LONGEST: Final = 200  # characters of a public text; a message to a shop is short
_HELD_OUT: Final = 5  # one in so many
_SOLVED: Final = "CNUG*"


@dataclass(eq=False)
class LabelledTexts:
    """Texts, what is known of each (as `truth_of` makes it), and the files they are from; apart from them those held
    out, with what they measure."""

    texts: list[str] = field(default_factory=list)
    truth: list[Floats] = field(default_factory=list)
    data: list[DataFile] = field(default_factory=list)
    held_out: dict[str, tuple[list[str], list[float]]] = field(default_factory=dict)

    def hold_out(self, what: str, text: str, truth: float) -> None:
        """Keep a text for measuring ``what``; ``truth`` is from 0 to 1."""
        texts, values = self.held_out.setdefault(what, ([], []))
        texts.append(text)
        values.append(truth)

    def add(self, text: str, intent: str | None = None, **known: float) -> None:
        """Add a text of which this is known, unless it is one of the test's."""
        if folded(text) in held_out():
            return
        self.texts.append(text)
        self.truth.append(truth_of(intent, **known))

    def with_intents(self) -> tuple[list[str], list[str]]:
        """The texts whose intent is known, and their intents."""
        truth = np.stack(self.truth)[:, : len(QUERY_INTENTS)]
        known = np.isfinite(truth[:, 0]).nonzero()[0].tolist()
        best = truth[known].argmax(axis=1).tolist()
        return [self.texts[place] for place in known], [QUERY_INTENTS[column] for column in best]


def truth_of(intent: str | None = None, **known: float) -> Floats:
    """All outputs [K] of a text of this intent, with ``foreign``, ``satisfied`` and ``solved`` from 0 to 1.

    What is not given is NaN: not known.
    """
    found = np.full(len(QUERY_INTENTS) + len(PLACES), np.nan, np.float32)
    if intent is not None:
        found[: len(QUERY_INTENTS)] = [name == intent for name in QUERY_INTENTS]
    for name, value in known.items():
        found[PLACES[name]] = value
    return found


def read_texts(data: Path, quick: bool, seed: int, done: Callable[[int], None]) -> LabelledTexts:
    """The training texts.

    Args:
        data: folder of the public sets.
        quick: whether a small part of the public sets will do.
        seed: decides which texts of large sets are taken.
        done: called with 1 after each set.

    Raises:
        UsageProblem: a set is not there.
    """
    found = LabelledTexts()
    rng = np.random.default_rng(seed)
    _add_written(found)
    done(1)
    _add_generated(found, seed, _GENERATED // 4 if quick else _GENERATED)
    done(1)
    for add in (_add_mapped, _add_reviews, _add_helpdesk):
        add(found, data, rng, 0.25 if quick else 1.0)
        done(1)
    return found


def written_and_made(seed: int, made: int = _GENERATED) -> tuple[list[str], list[str]]:
    """The written texts and those made of them, with their intents."""
    texts = [one for one in (*written(), *generated(random.Random(seed), made)) if folded(one.text) not in held_out()]
    return [one.text for one in texts], [one.intent for one in texts]


def _add_written(found: LabelledTexts) -> None:
    texts = written()
    for one in texts * _WRITTEN_TIMES:
        found.add(one.text, one.intent, foreign=float(one.language == "other"))
    digest = sha256("\n".join(f"{one.language} {one.intent} {one.text}" for one in texts).encode()).hexdigest()
    found.data.append(DataFile("written shopper texts", digest, "Apache-2.0 (part of Sluice)", len(texts)))


def _add_generated(found: LabelledTexts, seed: int, count: int) -> None:
    texts = generated(random.Random(seed), count)
    for one in texts:
        found.add(one.text, one.intent, foreign=0.0)
    digest = sha256("\n".join(f"{one.language} {one.intent} {one.text}" for one in texts).encode()).hexdigest()
    name = f"shopper texts made by grammar, seed {seed}"
    found.data.append(DataFile(name, digest, "Apache-2.0 (part of Sluice)", len(texts)))


def _add_mapped(found: LabelledTexts, data: Path, rng: np.random.Generator, share: float) -> None:
    """Public sets whose labels are the contract's intents under other names."""
    for public in INTENTS_OF:
        table = _read(data, public.file)
        taken = 0
        for label, intent in public.intents.items():
            texts = sorted(set(table.filter(pl.col(public.label) == label)[public.text].to_list()))
            most = max(1, round(public.most * share))
            for text in rng.permutation(texts)[:most].tolist():
                found.add(text, intent, foreign=0.0)
                taken += 1
        found.data.append(_described(data, public.file, public.licence, taken))


def _add_reviews(found: LabelledTexts, data: Path, rng: np.random.Generator, share: float) -> None:
    for file in ("text_zh_reviews/online_shopping_10_cats.parquet", "text_zh_reviews/waimai_10k.parquet"):
        table = _read(data, file).filter(pl.col("text").str.len_chars().is_between(2, _LONGEST))
        rows = rng.permutation(len(table))[: round(_REVIEWS * share)]
        for number, (text, label) in enumerate(table[rows].select("text", "label").iter_rows()):
            if number % _HELD_OUT:
                found.add(text, satisfied=float(label))
            else:
                found.hold_out("reviews: satisfied", text, float(label))
        found.data.append(_described(data, file, "no licence stated (SophonPlus/ChineseNlpCorpus)", len(rows)))


def _add_helpdesk(found: LabelledTexts, data: Path, rng: np.random.Generator, share: float) -> None:
    """The customers' turns. The same dialogues are in both languages, so they are held out by their ids."""
    for file, language in ((f"text_stc3_helpdesk/dialogues_{name}.parquet", name) for name in ("cn", "en")):
        table = _read(data, file)
        rows = np.sort(rng.permutation(len(table))[: round(len(table) * share)])
        count = 0
        for dialogue in table[rows].iter_rows(named=True):
            for text, satisfied, solved in customer_turns(dialogue):
                count += 1
                if int(dialogue["id"]) % _HELD_OUT:
                    found.add(text[:_LONGEST], satisfied=satisfied, solved=solved)
                else:
                    found.hold_out(f"helpdesk {language}: satisfied", text, satisfied)
                    found.hold_out(f"helpdesk {language}: solved", text, solved)
        found.data.append(_described(data, file, "no licence stated, made for research (NTCIR-14 STC-3)", count))


def customer_turns(dialogue: Mapping[str, object]) -> Iterator[tuple[str, float, float]]:
    """Each turn of a dialogue's customer: the text, how satisfied they were in the end, from 0 to 1, and which share
    of the annotators read in it that the problem is solved."""
    turns = msgspec.json.decode(str(dialogue["turns"]))
    nuggets = [annotation["nugget"] for annotation in msgspec.json.decode(str(dialogue["annotations"]))]
    satisfied = (float(str(dialogue["S_mean"])) + 2) / 4
    for place, turn in enumerate(turns):
        if turn["sender"] == "customer":
            solved = [of_turn[place] == _SOLVED for of_turn in nuggets]
            yield " ".join(turn["utterances"]), satisfied, sum(solved) / len(solved)


def _read(data: Path, file: str) -> pl.DataFrame:
    path = data / file
    if not path.is_file():
        raise UsageProblem(f"there is no {path}; name the folder of the data sets with --data")
    return pl.read_parquet(path)


def _described(data: Path, file: str, licence: str, rows: int) -> DataFile:
    return DataFile(file, sha256((data / file).read_bytes()).hexdigest(), licence, rows)
