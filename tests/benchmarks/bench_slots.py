"""What the slots of a text cost, by length and by whether numbers stand in it.

python -m tests.benchmarks.bench_slots

Prints microseconds per text over the hand-written training texts, each text's fastest reading of several, none cached.
"""

import time
from collections.abc import Iterable

import click

from app.text.slots import slots_of
from app.training.corpus.load import written

ROUNDS = 12


def fastest(text: str) -> float:
    """Microseconds of the fastest of several readings."""
    return min(_seconds(text) for _ in range(ROUNDS)) * 1e6


def _seconds(text: str) -> float:
    start = time.perf_counter()
    slots_of(text)
    return time.perf_counter() - start


def report(name: str, texts: Iterable[str]) -> None:
    """One line: how many texts, their mean length and what one costs on average."""
    costs = [(len(text), fastest(text)) for text in texts]
    characters, microseconds = (sum(column) / len(costs) for column in zip(*costs, strict=True))
    click.echo(f"{name:24} {len(costs):6} texts of {characters:5.1f} characters: {microseconds:6.1f} µs a text")


def main() -> None:
    """Measure."""
    texts = [example.text for example in written()]
    short = [text for text in texts if len(text) <= 30]
    report("30 characters and fewer", short)
    report("with digits", [text for text in short if any(sign.isdigit() for sign in text)])
    report("longer", [text for text in texts if len(text) > 30])


if __name__ == "__main__":
    main()
