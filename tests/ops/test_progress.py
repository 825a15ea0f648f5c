"""Progress: readiness depends on what gets done, and a standing worker is found."""

import pytest

from app.ops.progress import Progress
from tests.ops.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock) -> Progress:
    """A worker at work on partitions 0 and 1, limit 60 s, contact 30 s."""
    progress = Progress(clock, limit_s=60, contact_s=30)
    progress.assigned([0, 1])
    progress.recovered(0)
    progress.recovered(1)
    progress.polled()
    return progress


def reason(progress: Progress) -> str:
    verdict = progress.verdict()
    assert not verdict.ready
    return verdict.reason


def test_ready_when_assigned_recovered_and_in_contact(progress: Progress) -> None:
    assert progress.verdict().ready


def test_not_ready_without_partitions(clock: Clock) -> None:
    assert reason(Progress(clock)) == "no partitions are assigned"


def test_not_ready_while_a_partition_is_not_recovered(progress: Progress) -> None:
    progress.assigned([0, 1, 4])
    assert reason(progress) == "partition 4 not recovered yet"
    progress.recovering(4)
    assert reason(progress) == "partition 4 not recovered yet"
    progress.recovered(4)
    assert progress.verdict().ready


def test_a_partition_that_left_and_came_back_is_recovered_again(progress: Progress) -> None:
    progress.assigned([0])
    progress.assigned([0, 1])
    assert reason(progress) == "partition 1 not recovered yet"


def test_not_ready_before_the_first_fetch(clock: Clock) -> None:
    progress = Progress(clock)
    progress.assigned([0])
    progress.recovered(0)
    assert reason(progress) == "no fetch was answered yet"


def test_a_dead_group_with_a_living_process_is_not_ready(progress: Progress, clock: Clock) -> None:
    clock.advance(30)
    assert reason(progress) == "the broker has not answered a fetch for 30 s"
    progress.polled()
    assert progress.verdict().ready


def poll_for(progress: Progress, clock: Clock, seconds: int) -> None:
    for _ in range(seconds):
        clock.advance(1)
        progress.polled()


def test_an_idle_worker_stays_ready(progress: Progress, clock: Clock) -> None:
    progress.lag(0)
    poll_for(progress, clock, 3600)
    assert progress.verdict().ready
    assert progress.stalled(60) is None


def test_lag_without_progress_is_a_stall(progress: Progress, clock: Clock) -> None:
    progress.lag(500)
    poll_for(progress, clock, 59)
    assert progress.verdict().ready
    poll_for(progress, clock, 1)
    assert reason(progress) == "no progress for 60 s with a lag of 500 records"
    assert progress.stalled(60) == "no progress for 60 s with a lag of 500 records"


def test_time_runs_from_the_moment_lag_was_seen(progress: Progress, clock: Clock) -> None:
    poll_for(progress, clock, 3600)
    progress.lag(1)
    poll_for(progress, clock, 59)
    assert progress.stalled(60) is None
    progress.lag(900)
    poll_for(progress, clock, 1)
    assert progress.stalled(60) is not None


def test_progress_starts_the_time_anew(progress: Progress, clock: Clock) -> None:
    progress.lag(500)
    poll_for(progress, clock, 59)
    progress.advanced(1)
    poll_for(progress, clock, 59)
    assert progress.stalled(60) is None


def test_an_empty_commit_is_no_progress(progress: Progress, clock: Clock) -> None:
    progress.lag(500)
    poll_for(progress, clock, 60)
    progress.advanced(0)
    assert progress.stalled(60) is not None


def test_rebalances_without_work_are_no_progress(progress: Progress, clock: Clock) -> None:
    progress.lag(500)
    for _ in range(12):
        poll_for(progress, clock, 5)
        progress.assigned([0, 1])
    assert progress.stalled(60) is not None


def test_lag_of_partitions_given_away_is_not_ours(progress: Progress, clock: Clock) -> None:
    progress.lag(500)
    progress.assigned([])
    clock.advance(3600)
    assert progress.stalled(60) is None


def test_a_long_recovery_that_moves_is_no_stall(progress: Progress, clock: Clock) -> None:
    progress.assigned([0, 1, 2])
    progress.lag(500)
    for _ in range(100):
        progress.recovering(2)
        clock.advance(30)
    assert progress.stalled(60) is None
    progress.recovered(2)
    clock.advance(59)
    assert progress.stalled(60) is None


def test_a_recovery_that_stands_still_is_a_stall(progress: Progress, clock: Clock) -> None:
    progress.assigned([0, 1, 2])
    progress.recovering(2)
    clock.advance(60)
    assert progress.stalled(60) == "recovery of partition 2 has not moved for 60 s"


def test_recovery_of_a_partition_given_away_is_forgotten(progress: Progress, clock: Clock) -> None:
    progress.assigned([0, 1, 2])
    progress.recovering(2)
    progress.assigned([0, 1])
    clock.advance(60)
    assert progress.stalled(60) is None
