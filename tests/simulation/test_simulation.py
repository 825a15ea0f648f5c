"""What is promised, under every fault that a seed can think of.

``SLUICE_SEED=N pytest tests/simulation -k at_least_once`` plays one seed and shows all that happened in it.
"""

from collections import Counter

import pytest

from tests.simulation.conftest import blocks
from tests.simulation.play import Result, play


def explained(seed: int, guarantee: str, result: Result) -> str:
    """What went wrong, how it came to that, and how to see it again."""
    lines = [f"seed {seed}, {guarantee}:", *result.trace, "", *result.problems, ""]
    return "\n".join([*lines, f"again: SLUICE_SEED={seed} pytest tests/simulation -k {guarantee}"])


@pytest.mark.parametrize("seeds", blocks(), ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
@pytest.mark.parametrize("guarantee", ["exactly_once", "at_least_once"])
def test_nothing_is_lost_repeated_or_reordered_whatever_happens(guarantee: str, seeds: range) -> None:
    for seed in seeds:
        result = play(seed, guarantee)
        assert not result.problems, explained(seed, guarantee, result)


def test_one_seed_fixes_everything() -> None:
    for seed in range(5):
        assert play(seed, "exactly_once") == play(seed, "exactly_once")


def test_the_faults_happen() -> None:
    faults = sum((play(seed, "exactly_once").faults for seed in range(60)), start=Counter[str]())
    assert faults.keys() == {
        "a request came late",
        "rebalance",
        "a drain was cut short",
        "crash",
        "disk lost",
        "pause",
        "a transaction timed out",
        "an answer was lost",
        "a request was not done",
        "a process ended",
    }
