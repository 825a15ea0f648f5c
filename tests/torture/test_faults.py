"""A seed fixes the faults, and a round has every kind."""

from itertools import islice

from app.torture.faults import faults


def test_a_seed_fixes_the_faults() -> None:
    assert list(islice(faults(1, 3), 30)) == list(islice(faults(1, 3), 30))
    assert list(islice(faults(1, 3), 30)) != list(islice(faults(2, 3), 30))


def test_a_round_has_every_kind_at_every_window() -> None:
    found = {fault.name for fault in islice(faults(5, 3), 14)}
    assert {"kill", "kill produced", "kill delivered", "kill written", "kill recovery", "kill drain"} <= found
    assert {
        "kill takeover",
        "zombie",
        "zombie begun",
        "zombie produced",
        "zombie delivered",
        "terminate",
        "broker",
    } <= found
