"""A seed fixes the faults, and a round has every kind."""

from itertools import islice

from app.torture.faults import faults


def test_a_seed_fixes_the_faults() -> None:
    assert list(islice(faults(1, 3, "exactly_once"), 30)) == list(islice(faults(1, 3, "exactly_once"), 30))
    assert list(islice(faults(1, 3, "exactly_once"), 30)) != list(islice(faults(2, 3, "exactly_once"), 30))


def test_a_round_has_every_kind_at_every_window() -> None:
    found = {fault.name for fault in islice(faults(5, 3, "exactly_once"), 13)}
    assert {"kill", "kill produced", "kill delivered", "kill written", "kill recovery", "kill drain"} <= found
    assert {"kill takeover", "zombie", "zombie produced", "zombie delivered", "terminate", "broker"} <= found


def test_without_transactions_nobody_waits_for_a_window_that_only_they_have() -> None:
    found = {fault.name for fault in islice(faults(5, 3, "at_least_once"), 30)}
    assert "kill delivered" in found
    assert "zombie" in found
    assert not {"kill produced", "zombie produced", "zombie delivered"} & found
