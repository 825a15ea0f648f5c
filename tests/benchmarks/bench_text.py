"""What reading a text costs, slots included: in batches of 1,024, with repeats and without.

Run with `python -m tests.benchmarks.bench_text`. The texts are made from the written corpus, so that they differ.
"""

import random
import sys
import time
from pathlib import Path

from app.models.text import load_text
from app.text.ngrams import bag_of
from app.text.slots import slots_of
from app.training.corpus.load import written

BATCH = 1_024
BATCHES = 20
REPEATED = 0.9


def varied(count: int, rng: random.Random) -> list[str]:
    """Texts of shoppers, each another."""
    said = [one.text for one in written()]
    return [f"{rng.choice(said)} {rng.choice(said)[:12]} {number}" for number in range(count)]


def cost(batches: list[list[str]]) -> float:
    """Microseconds of processor time per text, the models loaded anew."""
    recogniser = load_text(Path(__file__).resolve().parents[2] / "onnx", provider="cpu")
    recogniser.read(["warm", "up"])
    started = time.process_time()
    for batch in batches:
        recogniser.read(batch)
    return (time.process_time() - started) / sum(map(len, batches)) * 1e6


def main() -> None:
    """Print the costs."""
    rng = random.Random(1)
    texts = varied(BATCH * BATCHES, rng)
    distinct = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    common = varied(2_000, rng)
    repeated = [[rng.choice(common) if rng.random() < REPEATED else text for text in batch] for batch in distinct]
    once = distinct[0]
    started = time.process_time()
    bag_of(once)
    bagged = time.process_time()
    for text in once:
        slots_of(text)
    ended = time.process_time()
    sys.stdout.write(
        f"texts of {sum(map(len, texts)) / len(texts):.0f} characters in batches of {BATCH}\n"
        f"  all different           {cost(distinct):6.1f} us/text\n"
        f"  {REPEATED:.0%} of 2,000 repeated   {cost(repeated):6.1f} us/text\n"
        f"  all seen before         {cost([once] * BATCHES):6.1f} us/text, the first batch included\n"
        f"of which n-grams {(bagged - started) / BATCH * 1e6:.1f}, slots {(ended - bagged) / BATCH * 1e6:.1f}\n"
    )


if __name__ == "__main__":
    main()
