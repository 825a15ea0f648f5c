"""A session's messages make one conversation: what is wanted, whether it is solved, how the customer feels."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from app.text.recogniser import Understood
from app.text.slots import Slots
from schemas.outputs import QueryIntent
from schemas.topics import SESSION_EVENTS
from tests.fakes import fake_models
from tests.harness import GAP, HOUR, Input, Record, Worker, click, on

SAID: dict[str, tuple[QueryIntent | None, float, float]] = {
    "where is it": ("track_order", 0.2, 0.0),
    "cancel it": ("cancel_order", 0.0, 0.1),
    "thanks": ("other", 1.0, 0.9),
    "broken": (None, float("nan"), float("nan")),
}


class Known:
    """Reads the texts of ``SAID``."""

    name, version = "fake-text", "7"

    def read(self, texts: Sequence[str]) -> list[Understood]:
        return [Understood(SAID[text][0], "en", Slots(), *SAID[text][1:], confidence=0.9) for text in texts]


def reading() -> Worker:
    return Worker(replace(fake_models(), text=Known()))


def says(text: str, at: int, user: str = "u") -> Input:
    return click(user, at, f"{user} {at}", "message_sent", message=text)


def talk(records: list[Record]) -> list[Any]:
    return [record.body.get("conversation") for record in on(SESSION_EVENTS, records)]


END = click("u", GAP + HOUR, "end")


def test_a_conversation_sums_up_the_messages() -> None:
    (told,) = talk(reading().run(says("where is it", 0), says("cancel it", 1), says("thanks", 2), END))
    assert told == {
        "messages": 3,
        "wanted": "cancel_order",
        "satisfaction": pytest.approx(4 * 0.55 - 2),
        "solved": 0.9,
        "text_model": {"name": "fake-text", "version": "7"},
    }


def test_sessions_without_messages_have_no_conversation() -> None:
    assert talk(reading().run(click("u", 0, "a"), END)) == [None]
    assert talk(Worker().run(says("thanks", 0), END)) == [None]


def test_a_session_begins_with_nothing_said() -> None:
    first, second = talk(
        reading().run(says("where is it", 0), click("u", GAP + HOUR, "a"), click("u", 3 * GAP + HOUR, "b"))
    )
    assert first["wanted"] == "track_order"
    assert second is None


def test_what_the_model_could_not_tell_changes_nothing() -> None:
    told, *_ = talk(reading().run(says("where is it", 0), says("broken", 1), END))
    assert (told["messages"], told["wanted"], told["solved"]) == (2, "track_order", 0)


def test_many_messages_are_counted_up_to_255() -> None:
    (told,) = talk(reading().run(*(says("thanks", at) for at in range(300)), END))
    assert told["messages"] == 255


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_conversation_is_the_same_however_it_was_cut_and_after_a_restart(size: int) -> None:
    inputs = [
        says("where is it", 0),
        says("cancel it", 1, "v"),
        click("u", 2, "look"),
        says("cancel it", 3),
        says("thanks", 4, "v"),
        says("thanks", 5),
        says("where is it", GAP + HOUR),
        says("broken", GAP + HOUR + 1, "v"),
        click("u", 3 * GAP + HOUR, "u end"),
        click("v", 3 * GAP + HOUR, "v end"),
    ]
    together = on(SESSION_EVENTS, reading().run(*inputs))
    worker, apart = reading(), list[Record]()
    for start in range(0, len(inputs), size):
        apart += on(SESSION_EVENTS, worker.run(*inputs[start : start + size]))
        worker = worker.restarted()
    assert len(together) == 4
    assert {record.body["event_id"]: record.body for record in together} == {
        record.body["event_id"]: record.body for record in apart
    }
