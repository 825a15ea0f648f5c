"""What reading a text costs, slots included: in batches of 1,024, with repeats and without.

Run with `python -m tests.benchmarks.bench_text`. The texts are made by the training grammar.
"""

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from app.models.text import read_text_model
from app.text.ngrams import bag_of
from app.text.recogniser import Recogniser
from app.text.slots import slots_of
from app.training.corpus.grammar import generated

BATCH = 1_024
BATCHES = 20
REPEATED = 0.9


def varied(count: int, rng: random.Random) -> list[str]:
    """Texts of shoppers, made by the grammar, each another."""
    found: dict[str, None] = {}
    while len(found) < count:
        found.update(dict.fromkeys(one.text for one in generated(rng, count)))
    return list(found)[:count]


def costs(batches: list[list[str]], read: Callable[[list[str]], object]) -> str:
    """Microseconds of processor time per text: the cheapest batch's and the middle one's, as other work disturbs."""
    found = []
    for batch in batches:
        started = time.process_time()
        read(batch)
        found.append((time.process_time() - started) / len(batch) * 1e6)
    return f"{min(found):6.1f} at best, {median(found):6.1f} in the middle"


def main() -> None:
    """Print the costs."""
    rng = random.Random(1)
    texts = varied(BATCH * BATCHES, rng)
    distinct = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    common = varied(2_000, rng)
    repeated = [[rng.choice(common) if rng.random() < REPEATED else text for text in batch] for batch in distinct]
    model = read_text_model(Path(__file__).resolve().parents[2] / "onnx", provider="cpu")
    once, again = Recogniser(model), Recogniser(model)
    once.read(["warm", "up"])
    for read, batches, what in (
        (once.read, distinct, "all different"),
        (again.read, repeated, f"{REPEATED:.0%} of 2,000 repeated"),
        (again.read, [common[:BATCH]] * BATCHES, "all seen before"),
        (bag_of, distinct, "n-grams alone"),
        (lambda batch: model.score(bag_of(batch), len(batch)), distinct, "n-grams and model"),
        (lambda batch: [slots_of(text) for text in batch], distinct, "slots alone"),
    ):
        sys.stdout.write(f"{what:24}{costs(batches, read)} us/text\n")
    sys.stdout.write(f"texts of {sum(map(len, texts)) / len(texts):.0f} characters in batches of {BATCH}\n")


if __name__ == "__main__":
    main()
