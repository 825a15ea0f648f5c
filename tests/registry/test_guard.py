"""What takes a version out of force: numbers that are none, slowness, scores elsewhere; and what does not."""

import numpy as np
import pytest

from app.effects import Tried
from app.models.runtime import Floats
from app.registry.distribution import counted, empty, shift
from app.registry.guard import Guard, Limits, Sample
from app.registry.pace import Pace

LIMITS = Limits(window=1_000, probation=5_000, failures=0.01, slowdown=3.0, shift=0.25)


def beta(mean: float, n: int = 500, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    return rng.beta(20 * mean, 20 * (1 - mean), n).astype(np.float32)


def guard(slowness: float | None = None, limits: Limits = LIMITS) -> Guard:
    return Guard(limits, lambda one, other: slowness, "1")


def promoted(slowness: float | None = None) -> Guard:
    found = guard(slowness)
    found.serve("2", on_probation=True)
    return found


def faults(guard: Guard, sample: Sample, times: int = 4) -> list[tuple[str, str, str]]:
    found = [fault for _ in range(times) for fault in guard.observe(sample)]
    return [(fault.role, fault.version, fault.kind) for fault in found]


def test_the_same_distribution_has_not_moved_and_another_has() -> None:
    old = counted(beta(0.3, 5_000))
    assert shift(old, counted(beta(0.3, 5_000, seed=1))) < 0.02
    assert shift(old, counted(beta(0.33, 5_000, seed=1))) < 0.25
    assert shift(old, counted(beta(0.6, 5_000, seed=1))) > 1
    assert shift(old, old) == 0
    assert shift(empty(), empty()) == 0


def test_another_calibration_of_a_rare_event_is_no_other_model_and_one_that_says_never_is() -> None:
    rare = np.random.default_rng(0).beta(0.5, 50, 5_000).astype(np.float32)
    assert shift(counted(rare), counted(rare ** np.float32(1.05))) < 0.1
    assert shift(counted(rare), counted(np.zeros_like(rare))) > 1


def test_scores_at_the_ends_are_counted() -> None:
    assert counted(np.array([0, 1, 0.5], np.float32)).sum() == 3


def test_a_version_that_scores_as_the_one_before_stays_whatever_becomes_of_the_events() -> None:
    held = promoted()
    for mean in (0.1, 0.5, 0.9):
        sample = Sample(beta(mean), Tried(replaced=beta(mean, seed=1)))
        assert faults(held, sample) == []


def test_a_version_whose_scores_lie_elsewhere_goes() -> None:
    assert faults(promoted(), Sample(beta(0.6), Tried(replaced=beta(0.3))), 2) == [("serving", "2", "shift")]


def test_numbers_that_are_none_are_enough_before_a_window_is_full() -> None:
    scores = beta(0.3, 100)
    scores[:11] = np.nan
    assert faults(promoted(), Sample(scores, Tried(replaced=beta(0.3, 100))), 1) == [("serving", "2", "failures")]


def test_a_few_numbers_that_are_none_are_borne() -> None:
    scores = beta(0.3, 1_000)
    scores[:10] = np.nan
    assert faults(promoted(), Sample(scores, Tried(replaced=beta(0.3, 1_000))), 3) == []


def test_a_slow_version_goes_and_one_of_unknown_pace_does_not() -> None:
    sample = Sample(beta(0.3), Tried(replaced=beta(0.3)))
    assert faults(promoted(3.1), sample, 2) == [("serving", "2", "latency")]
    assert faults(promoted(2.9), sample) == faults(promoted(None), sample) == []


def test_after_its_probation_a_version_is_no_longer_judged() -> None:
    held = promoted()
    assert faults(held, Sample(beta(0.3), Tried(replaced=beta(0.3))), 10) == []
    assert not held.on_probation
    assert faults(held, Sample(beta(0.9), Tried())) == []


def test_without_a_version_before_nothing_is_judged() -> None:
    held = guard()
    held.serve("2", on_probation=False)
    assert faults(held, Sample(np.full(5_000, np.nan, np.float32), Tried())) == []


def test_a_canary_is_held_against_the_users_beside_it() -> None:
    canary = np.arange(4_000) % 2 == 0
    scores = beta(0.3, 4_000)
    held = guard()
    held.try_("canary", "2")
    assert faults(held, Sample(scores, Tried(canary=canary)), 3) == []
    scores[canary] = beta(0.7, 2_000)
    assert faults(held, Sample(scores, Tried(canary=canary)), 1) == [("canary", "2", "shift")]
    (compared,) = held.comparisons()
    assert (compared.role, compared.events) == ("canary", 8_000)


def test_a_shadow_may_differ_and_is_compared_event_by_event() -> None:
    held = guard()
    held.try_("shadow", "2")
    scores, intent = np.full(2_000, 0.25, np.float32), np.zeros(2_000, np.int64)
    other = np.where(np.arange(2_000) < 500, 1, 0)
    tried = Tried(shadow=np.full(2_000, 0.75, np.float32), shadow_intent=other)
    assert faults(held, Sample(scores, tried, intent), 3) == []
    (compared,) = held.comparisons()
    assert (compared.difference, compared.agreement, compared.events, compared.failures) == (0.5, 0.75, 6_000, 0)
    assert compared.shift is not None
    assert compared.shift > 1


def test_a_shadow_that_gives_no_numbers_goes() -> None:
    held = guard()
    held.try_("shadow", "2")
    tried = Tried(shadow=np.full(100, np.nan, np.float32))
    assert faults(held, Sample(beta(0.3, 100), tried), 1) == [("shadow", "2", "failures")]


def test_another_version_on_trial_begins_its_comparison_anew() -> None:
    held = guard()
    held.try_("shadow", "2")
    faults(held, Sample(beta(0.3), Tried(shadow=beta(0.3))))
    held.try_("shadow", "2")
    assert held.comparisons()[0].events == 2_000
    held.try_("shadow", "3")
    assert held.comparisons()[0].events == 0
    held.try_("shadow", None)
    assert held.comparisons() == []


def paces(*calls: tuple[int, float]) -> Pace:
    pace = Pace()
    for rows, seconds in calls:
        pace.called(rows, seconds)
    return pace


def test_a_pace_compares_calls_of_like_sizes() -> None:
    slow = paces(*[(100, 0.004)] * 8, *[(1, 0.001)] * 8)
    fast = paces(*[(120, 0.002)] * 8, *[(4_000, 0.05)] * 20)
    assert slow.relative_to(fast) == pytest.approx(2.0)
    assert slow.relative_to(paces(*[(4_000, 0.05)] * 20)) is None
    assert slow.relative_to(paces(*[(100, 0.002)] * 7)) is None


def test_a_pause_of_the_process_does_not_make_a_version_slow() -> None:
    assert paces(*[(100, 0.001)] * 20, (100, 5.0)).relative_to(paces(*[(100, 0.001)] * 20)) == pytest.approx(1.0)
