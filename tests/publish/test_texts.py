"""What visitors write comes out beside what they do: intents, languages and slots of queries and messages."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest

from app.text.recogniser import Recogniser
from schemas.events import MAX_QUERY
from schemas.outputs import QUERY_INTENTS, IntentEvent
from schemas.topics import DEAD_LETTER, INTENT_EVENTS
from tests.fakes import fake_models
from tests.harness import Input, Record, Worker, click, on
from tests.text.test_ngrams import WILD
from tests.text.test_recogniser import Counting

TEXTS = [
    "我想买一件白色的羽绒服，价格在500元左右",
    "white trainers under 50",
    "😀",
    *(text for text in WILD if text.isascii()),
]


SURROGATE = re.compile("[\ud800-\udfff]")  # JSON with one is malformed: tests/test_bad_input.py


def reading() -> Worker:
    return Worker(replace(fake_models(), text=Recogniser(Counting())))


def said(texts: Sequence[str]) -> list[Input]:
    return [
        click(f"u{number % 3}", number, f"{number}", "products_searched", query=text)
        for number, text in enumerate(texts)
    ]


def words(record: Record) -> dict[str, object]:
    return {name: record.body.get(name) for name in ("query_intent", "language", "slots", "text_model")}


def test_a_query_comes_out_with_what_it_means() -> None:
    (record,) = reading().run(*said(TEXTS[:1]))
    event = msgspec.json.decode(record.value or b"", type=IntentEvent)
    assert json.loads(msgspec.json.encode(event)) == record.body
    assert record.body["query_intent"] in QUERY_INTENTS
    assert record.body["language"] == "zh"
    assert record.body["slots"] == {
        "category": "羽绒服",
        "color": "white",
        "price_min": 400,
        "price_max": 600,
        "currency": "CNY",
    }
    assert record.body["text_model"] == {"name": "fake-text", "version": "1"}


def test_a_message_counts_before_a_query() -> None:
    both = click("u", 0, "a", "message_sent", query="white trainers", message="我要退货")
    (record,) = reading().run(both)
    assert record.body["language"] == "zh"


def test_clicks_without_words_have_no_fields_about_words() -> None:
    plain, empty, told = reading().run(
        click("u", 0, "a"), click("u", 1, "b", "products_searched", query=""), *said(["cap"])[:1]
    )
    assert not {"query_intent", "language", "slots", "text_model"} & (plain.body.keys() | empty.body.keys())
    assert told.body["language"] == "en"


def test_without_a_text_model_words_are_left_alone() -> None:
    (record,) = Worker().run(*said(["cap"]))
    assert "language" not in record.body


def test_a_text_model_without_numbers_costs_no_event() -> None:
    worker = Worker(replace(fake_models(), text=Recogniser(Counting(broken=True))))
    (record,) = worker.run(*said(["white trainers"]))
    assert "query_intent" not in record.body
    assert record.body["slots"]["color"] == "white"
    msgspec.json.decode(record.value or b"", type=IntentEvent)


@pytest.mark.parametrize("size", [1, 5])
def test_what_a_text_means_does_not_depend_on_the_batch(size: int) -> None:
    inputs = said([text for text in TEXTS if text])
    together = on(INTENT_EVENTS, reading().run(*inputs))
    worker, apart = reading(), list[Record]()
    for start in range(0, len(inputs), size):
        apart += on(INTENT_EVENTS, worker.run(*inputs[start : start + size]))
    assert {record.body["event_id"]: words(record) for record in together} == {
        record.body["event_id"]: words(record) for record in apart
    }


@pytest.mark.parametrize("field", ["query", "message"])
def test_whatever_people_write_is_answered_and_their_neighbours_are_too(field: str) -> None:
    wild = [
        text for text in WILD if 0 < len(text) <= MAX_QUERY and not any("\ud800" <= sign < "\ue000" for sign in text)
    ]
    assert {"😀" * 512, "שלום עולם", "１２３ＡＢＣ，。"} <= set(wild)
    inputs = [
        click(f"u{number}", number, f"{number}", "message_sent", **{field: text}) for number, text in enumerate(wild)
    ]
    found = reading().run(*inputs, click("plain", len(wild), "plain"))
    answers = on(INTENT_EVENTS, found)
    assert [record.body["source_event_id"] for record in answers] == [*map(str, range(len(wild))), "plain"]
    assert all(record.body["language"] in ("zh", "en", "other") for record in answers[:-1])
    assert on(DEAD_LETTER, found) == []
