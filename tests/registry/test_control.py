"""What commands may follow which, and what becomes of records that are none."""

import msgspec
import pytest

from app.cli.errors import UsageProblem
from app.registry.control import ControlUnreadable, canaried, decode, nothing, promoted, rolled_back, shadowed
from schemas.control import ModelControl

FIRST = promoted(nothing("intent"), "2", "1", "who", 10)


def test_a_promotion_notes_what_it_replaced_and_a_rollback_returns_to_it() -> None:
    assert ModelControl("intent", 1, 10, "who", serving="2", previous="1") == FIRST
    second = promoted(FIRST, "3", "2", "who", 20)
    assert (second.serving, second.previous, second.revision) == ("3", "2", 2)
    back = rolled_back(second, "bad", 30)
    assert (back.serving, back.previous, back.revision, back.reason) == ("2", None, 3, "bad")


def test_a_second_rollback_has_nothing_to_return_to() -> None:
    with pytest.raises(UsageProblem, match="sluice models promote intent/VERSION"):
        rolled_back(rolled_back(FIRST, "", 0), "", 0)


def test_a_promotion_ends_the_trial_of_its_version_and_no_other() -> None:
    tried = canaried(shadowed(FIRST, "3", "", 0), "4", 0.2, "", 0)
    assert promoted(tried, "3", None, "", 0).shadow is None
    assert promoted(tried, "3", None, "", 0).canary == "4"
    ended = promoted(tried, "4", None, "", 0)
    assert (ended.shadow, ended.canary, ended.canary_share) == ("3", None, 0.0)


def test_what_serves_is_not_promoted_or_tried_again() -> None:
    with pytest.raises(UsageProblem, match="intent/2 serves"):
        promoted(FIRST, "2", None, "", 0)
    with pytest.raises(UsageProblem, match="intent/2 serves"):
        shadowed(FIRST, "2", "", 0)
    with pytest.raises(UsageProblem, match="intent/2 serves"):
        canaried(FIRST, "2", 0.5, "", 0)


def test_what_is_not_on_trial_cannot_be_ended() -> None:
    with pytest.raises(UsageProblem, match="no shadow"):
        shadowed(FIRST, None, "", 0)
    with pytest.raises(UsageProblem, match="no canary"):
        canaried(FIRST, None, 0.0, "", 0)
    with pytest.raises(UsageProblem, match="already"):
        shadowed(shadowed(FIRST, "3", "", 0), "3", "", 0)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 7.0, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(UsageProblem, match="between 0 and 1"):
        canaried(FIRST, "3", share, "", 0)


@pytest.mark.parametrize(
    "value",
    [b"", b"hello", b"{}", b"[]", b"null", b"\xff\xfe", msgspec.json.encode(FIRST)[:-1], b'{"name":"intent"}'],
)
def test_a_record_that_does_not_parse_is_said_with_its_key(value: bytes) -> None:
    with pytest.raises(ControlUnreadable, match="'intent'"):
        decode(b"intent", value)


def test_a_record_under_another_models_key_is_unreadable() -> None:
    with pytest.raises(ControlUnreadable, match="names 'intent'"):
        decode(b"risk", msgspec.json.encode(FIRST))
    assert decode(b"intent", msgspec.json.encode(FIRST)) == FIRST
