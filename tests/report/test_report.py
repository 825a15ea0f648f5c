"""The report counts what was decided, holds it against labels, and is one page that loads nothing."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.cli.main import DONE, WRONG_USAGE, main
from app.report.collected import Collected, Span
from app.report.summary import Summary
from app.step import Models
from schemas.outputs import RiskEvent
from schemas.topics import ALERTS, LABELS, ORDERS, RISK_EVENTS
from tests.fakes import FakeIntentModel, RiskByValue
from tests.harness import DAY, HOUR, START, Input, Worker, label, on, order
from tests.rules.rulesets import book, rule

RULES = book(
    rule("dear", "value >= 60", 20, text="<b>Dear</b> & odd", technique="F1028"),
    rule("odd", "value == 61", 1, mode="shadow", technique="F1012"),
)


def story() -> list[Input]:
    """Twenty orders, an hour apart; of the six from 60 on one was fraud, one genuine, of the others nobody knows."""
    orders = [
        order(f"u{at % 3}", at * HOUR, f"{at}", value=float(at) if at < 15 else 46.0 + at, device_id=f"d{at % 2}")
        for at in range(1, 21)
    ]
    return [
        *orders,
        label("u0", DAY, "l1", order_id="order-15", label="fraud"),
        label("u1", DAY, "l2", order_id="order-16", label="legitimate"),
        label("u2", DAY, "l3", order_id="order-2", label="chargeback"),
        label("u2", DAY, "l4", label="fraud"),
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a replay wrote, and the labels beside it."""
    records = Worker(Models(FakeIntentModel(), RiskByValue(), rules=RULES)).run(*story())
    for topic in (RISK_EVENTS, ALERTS):
        lines = [json.dumps(record.body) + "\n" for record in on(topic, records)]
        (tmp_path / f"{topic}.jsonl").write_text("".join(lines))
    labels = [(one.value or b"").decode() + "\n" for one in story() if one.topic in (LABELS, ORDERS)]
    (tmp_path / "events.jsonl").write_text("".join(labels))
    return tmp_path


def reported(folder: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, Any]:
    capsys.readouterr()
    inputs = ["--in", str(folder), "--labels", str(folder / "events.jsonl"), "--out", str(folder / "page.html")]
    assert main(["report", *inputs, *flags, "--json"]) == DONE
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_figures_hold_decisions_against_labels(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = reported(folder, capsys)
    assert (found["orders"], found["labelled"], found["frauds"]) == (20, 3, 2)
    assert found["actions"] == {"allow": 14, "block": 6}
    assert found["stopped"] == {"orders": 6, "precision": 0.5, "recall": 0.5, "false_positives": 1}
    assert found["rules"] == {
        "dear": {"hits": 6, "frauds": 1, "legitimate": 1},
        "odd": {"hits": 1, "frauds": 1, "legitimate": 0},
    }
    assert found["techniques"] == {"F1028": {"orders": 6, "stopped": 6, "frauds": 1}}
    assert found["alerts"] > 0


def test_of_several_labels_of_an_order_the_latest_counts_and_those_of_unknown_orders_change_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = [
        label("u0", DAY + 1, "l5", order_id="order-15", label="fraud"),
        label("u0", DAY + 2, "l6", order_id="order-15", label="legitimate"),
        label("u1", DAY + 3, "l7", order_id="order-nobody", label="fraud"),
    ]
    with (folder / "events.jsonl").open("a") as lines:
        lines.writelines((one.value or b"").decode() + "\n" for one in more)
    found = reported(folder, capsys)
    assert (found["labelled"], found["frauds"], found["stopped"]["false_positives"]) == (3, 1, 2)


def test_only_the_span_counts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = reported(folder, capsys, "--from", "2023-11-14T23:13:20Z", "--to", "2023-11-15T01:13:20Z")
    assert START == 1_700_000_000_000
    assert found["orders"] == 2  # one and two hours after the start; the third is no longer in it


def test_users_and_devices_are_told_whose_orders_were_stopped_most(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = reported(folder, capsys)["entities"]
    assert found.keys() == {"user", "device"}
    assert found["device"] == {
        "d1": {"orders": 10, "stopped": 3, "frauds": 1},
        "d0": {"orders": 10, "stopped": 3, "frauds": 1},
    }


def test_money_is_told_on_both_sides_by_currency(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stopped are the orders of 61 to 66; 61 was fraud and 62 genuine, and 2 a fraud that was let through."""
    assert reported(folder, capsys)["money"] == {
        "EUR": {
            "orders": sum(range(1, 15)) + sum(range(61, 67)),
            "stopped": sum(range(61, 67)),
            "fraud_stopped": 61.0,
            "fraud_let_through": 2.0,
            "legitimate_stopped": 62.0,
        }
    }


def test_orders_that_were_not_read_have_no_value_and_are_told_all_the_same(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = [line for line in (folder / "events.jsonl").read_text().splitlines(keepends=True) if '"label"' in line]
    (folder / "events.jsonl").write_text("".join(labels))
    found = reported(folder, capsys)
    assert (found["orders"], found["money"], found["entities"].keys()) == (20, {}, {"user"})
    assert "order-16" in (folder / "page.html").read_text()


def test_an_output_that_comes_again_counts_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    once = reported(folder, capsys)
    for topic in (RISK_EVENTS, ALERTS):
        path = folder / f"{topic}.jsonl"
        path.write_text(path.read_text() * 2)
    assert reported(folder, capsys) == once


def test_the_page_tells_how_right_it_was_to_stop_and_why_alerts_were_raised(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reported(folder, capsys)
    text = re.sub(r"<[^>]+>", " ", (folder / "page.html").read_text())
    assert "20 orders from 2023-11-14 23:13 to 2023-11-15 18:13 UTC, judged by" in text
    assert re.search(r"stopped: review, block or freeze\s+1\s+1\s+4\s+let through\s+1\s+0\s+13\s", text)
    assert "precision of what was stopped 50.0%, recall 50.0%" in text
    assert re.search(r"block\s+6\s+30.0%", text)
    assert re.search(r"dear\s+6\s+0\s+1\s+1\s+4\s+50.0%", text)
    assert re.search(r"risk\s+DEAR\s+critical\s+\d", text)
    assert re.search(r"device\s+d1\s+3\s+10\s+1", text)
    assert re.search(r"F1028\s+6\s+6\s+1", text)
    wrong, missed = text.split("False positives")[1].split("Missed frauds")
    assert re.search(r"order-16\s+2023-11-15 14:13\s+62.00 EUR\s+block", wrong)
    assert re.search(r"order-2\s+2023-11-15 00:13\s+2.00 EUR\s+allow", missed)


@pytest.mark.parametrize("days", [3, 40, 400, 20_000])
def test_a_chart_of_any_span_has_bars_that_can_be_seen(days: int) -> None:
    """An order of a wrong clock may lie decades ahead."""
    collected = Collected(Span(0, 2**62))
    for at in (0, days):
        (record,) = on(RISK_EVENTS, Worker().run(order("u", at * DAY, f"{at}")))
        collected.take(msgspec.json.decode(json.dumps(record.body), type=RiskEvent))
    volumes = Summary(collected).volumes()
    assert sum(orders for _, orders, _ in volumes) == 2
    assert 2 <= len(volumes) <= 720


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.bars = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        self.bars += tag == "rect"
        if tag not in ("meta", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag


def test_the_page_is_whole_loads_nothing_and_shows_text_as_text(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reported(folder, capsys)
    text = (folder / "page.html").read_text()
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert page.addresses == []
    assert page.bars > 20
    assert "&lt;b&gt;Dear&lt;/b&gt; &amp; odd" in text
    assert "<b>" not in text
    assert "order-16" in text
    assert not re.search(r"url\(|@import|<script", text)


def test_a_span_without_orders_is_a_page_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = reported(folder, capsys, "--from", "2030-01-01")
    assert found["orders"] == 0
    assert found["stopped"]["precision"] is None


@pytest.mark.parametrize("flags", [["--in", "nowhere"], ["--labels", "x"], ["--from", "soon", "--in", "x"]])
def test_wrong_usage_is_said(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", *flags]) == WRONG_USAGE
    assert capsys.readouterr().err.startswith("sluice: ")
