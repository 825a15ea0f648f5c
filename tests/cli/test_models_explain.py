"""`sluice models explain`: recorded clicks say why they are scored as they are."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli.models import models
from schemas.topics import INTENT_EVENTS
from tests.cli.test_replay import run as replay

START = 1_700_000_000_000
ACTS = ("page_viewed", "product_viewed", "product_added", "product_added", "cart_viewed", "checkout_started")
PUBLISHED = {
    "purchase": "purchase_probability",
    "purchase_24h": "purchase_24h_probability",
    "abandonment": "abandonment_probability",
    "exit": "exit_probability",
}

TRUE_OF_B4 = {
    "2 products in the cart",
    "2 products put in the cart by this visitor so far",
    "5 different products seen in this session",
    "this click: look at the cart",
}


def explain(*arguments: str | Path) -> Result:
    return CliRunner().invoke(models, ["explain", *(str(argument) for argument in arguments)])


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    lines = [
        {"event_id": f"{user}{n}", "ts": START + 20_000 * n, "type": act, "user_id": user, "product_id": f"p{n}"}
        for n, act in enumerate(ACTS)
        for user in "ab"
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    return path


def test_a_click_named_by_its_id_is_explained_as_it_was_published(events: Path, tmp_path: Path) -> None:
    done = explain(events, "--event", "b4", "--json")
    assert done.exit_code == 0, done.output
    (told,) = json.loads(done.stdout)["events"]
    assert (told["event_id"], told["user_id"], told["ts"]) == ("b4", "b", START + 80_000)
    replay(events, "--out", tmp_path / "out")
    lines = (tmp_path / "out" / f"{INTENT_EVENTS}.jsonl").read_text().splitlines()
    (published,) = [body for line in lines if (body := json.loads(line))["source_event_id"] == "b4"]
    answers = told["answers"]
    assert answers["intent"]["answer"] == published["intent"]
    assert answers["next_action"]["answer"] == published["next_action"]
    for name, field in PUBLISHED.items():
        assert answers[name]["probability"] == pytest.approx(published[field], abs=1e-5), name
        assert answers[name]["reasons"], name
    texts = {reason["text"] for reason in answers["purchase"]["reasons"]}
    assert texts & TRUE_OF_B4
    assert all(reason["text_zh"] != reason["text"] for reason in answers["purchase"]["reasons"])


def test_without_an_id_the_most_probable_purchases_are_explained(events: Path) -> None:
    done = explain(events, "--top", "3", "--json")
    assert done.exit_code == 0, done.output
    chances = [one["answers"]["purchase"]["probability"] for one in json.loads(done.stdout)["events"]]
    assert len(chances) == 3
    assert chances == sorted(chances, reverse=True)
    everything = json.loads(explain(events, "--top", "100", "--json").stdout)["events"]
    assert chances == [one["answers"]["purchase"]["probability"] for one in everything[:3]]
    assert len(everything) == 2 * len(ACTS)


@pytest.mark.parametrize(("language", "text"), [("en", "this click: "), ("zh", "本次点击：")])
def test_people_read_it_in_their_language(events: Path, language: str, text: str) -> None:
    done = explain(events, "--event", "a5", "--language", language)
    assert done.exit_code == 0, done.output
    assert text in done.stdout
    assert " points" in done.stdout


def test_an_id_that_is_not_there_is_one_line(events: Path) -> None:
    done = explain(events, "--event", "a1", "--event", "nobody")
    assert done.exit_code == 1
    assert "no scored click nobody;" in done.stderr
