"""Public sets of texts with labels: which part trains and which is measured."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from app.cli.errors import UsageProblem
from app.training.text_trainer import Recipe

Rows = Callable[[pl.DataFrame], pl.Series]

_SEED: Final = 77
_HELD_OUT: Final = 10  # one text of a label in so many


@dataclass(frozen=True)
class PublicSet:
    """A set: its file, its column of labels, which rows train, which are measured, and how it is trained."""

    name: str
    file: str
    label: str
    learns: Rows
    measures: Rows
    recipe: Recipe
    split: str


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts [n] with their labels [n]."""

    texts: list[str]
    labels: list[str]

    @property
    def digest(self) -> str:
        """SHA-256 of them all."""
        lines = (f"{label}\t{text}" for label, text in zip(self.labels, self.texts, strict=True))
        return sha256("\n".join(lines).encode(errors="surrogatepass")).hexdigest()


def read_parts(public: PublicSet, folder: Path, file: Path | None) -> tuple[Texts, Texts]:
    """What trains and what is measured: of the set in ``folder``, or all of ``file`` after all that the set trains by.

    Raises:
        UsageProblem: a file is not there, or is not one of texts with labels.
    """
    table = _table(folder / public.file, public.label)
    if file is None:
        return _texts(table.filter(public.learns(table)), public), _texts(table.filter(public.measures(table)), public)
    measured = _table(file, public.label)
    known = table if public.learns is _unheld else table.filter(public.learns(table))
    return _texts(known, public), _texts(measured, public)


def _texts(table: pl.DataFrame, public: PublicSet) -> Texts:
    return Texts(table["text"].to_list(), table[public.label].to_list())


def _table(path: Path, label: str) -> pl.DataFrame:
    if not path.is_file():
        raise UsageProblem(f"there is no {path}; name the folder of the public sets with --sets, or a file with --data")
    try:
        table = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
        return table.with_columns(pl.col("text").cast(pl.String), pl.col(label).cast(pl.String))
    except pl.exceptions.PolarsError as error:
        told = str(error).splitlines()[0]
        raise UsageProblem(f"{path} is no table with columns text and {label} ({told}); name another file") from error


def _of_split(*names: str) -> Rows:
    return lambda table: table["split"].is_in(list(names))


def _held(table: pl.DataFrame) -> pl.Series:
    """Every tenth text of each label, in an order that a seed decides."""
    order = pl.Series(np.random.default_rng(_SEED).permutation(len(table)))
    ranks = table.select(order.alias("order"), "intent").select(pl.col("order").rank("ordinal").over("intent"))
    return ranks["order"] % _HELD_OUT == 0


def _unheld(table: pl.DataFrame) -> pl.Series:
    return ~_held(table)


PUBLIC: Final = {
    public.name: public
    for public in (
        PublicSet(
            "clinc150",
            "text_clinc150/utterances.parquet",
            "intent",
            _of_split("train", "oos_train"),
            _of_split("val", "oos_val"),
            Recipe(units=128, epochs=8, members=2),
            "learned on the published training part, measured on the validation part",
        ),
        PublicSet(
            "banking77",
            "text_banking77/utterances.parquet",
            "intent",
            _unheld,
            _held,
            Recipe(units=128, epochs=10, members=2),
            "the published training part: every tenth text of each label measured, the others learned",
        ),
        PublicSet(
            "smp2017",
            "text_smp_ecdt/smp2017_domain.parquet",
            "domain",
            _of_split("train"),
            _of_split("develop"),
            Recipe(units=128, epochs=15, batch=32, rate=0.005, members=3),
            "learned on the published training part, measured on the development part",
        ),
    )
}
