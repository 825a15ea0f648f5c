"""The windows of a victim are points of the worker as it is: they move with it, or this fails."""

import contextlib

from app.kafka.coordinator import TransactionCoordinator
from app.torture.victim import _METHODS, PRODUCED, windows


def test_every_window_is_put_in_place_and_taken_away() -> None:
    before = [getattr(owner, name) for owner, name, *_ in _METHODS]
    with windows(lambda window: None):
        assert not any(getattr(owner, name) in before for owner, name, *_ in _METHODS)
    assert [getattr(owner, name) for owner, name, *_ in _METHODS] == before


def test_a_window_is_passed_before_what_it_stands_before() -> None:
    passed: list[str] = []
    with windows(passed.append):
        committing = TransactionCoordinator.commit(None, None)  # type: ignore[arg-type]
        with contextlib.suppress(AttributeError):
            committing.send(None)
    assert passed == [PRODUCED]
