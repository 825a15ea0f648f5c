"""A backtest tells what rules met, how right they were, and what would change; labels may be anything."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.backtest.figures import Truth, changes
from app.backtest.judging import JudgedOrders
from app.backtest.run import backtested
from app.cli.main import DONE, WRONG_USAGE, main
from app.cli.options import open_settings
from app.cli.rules import opened
from app.learning.labels import OrderLabels
from app.training.progress import Advance, Silent
from tests.harness import Input, click, label, order

RULESET = """
id: {id}
version: 1
policies: [{{id: p, thresholds: {{review: 101}}}}]
guard: {{max_share: 1}}
rules:
- {{id: dear, when: value >= 50, action: {action}, reason: DEAR, text: Dear., owner: risk}}
- {{id: odd, when: value % 2 == 1, mode: shadow, reason: ODD, text: Odd., owner: risk}}
- {{id: never, when: value < 0, mode: off, reason: NEVER, text: Never., owner: risk}}
"""


def orders() -> list[Input]:
    """Ten orders of 10, 21, 30, 41 ... 101; those of 61 and 70 are frauds, that of 81 only at first."""
    made = [order(f"u{number}", number, f"{number}", value=10.0 * (number + 1) + number % 2) for number in range(10)]
    return [
        click("u0", 0, "click"),
        label("u9", 1, "unknown", order_id="order-nobody", label="fraud"),
        label("u5", 2, "early", order_id="order-5", label="chargeback"),
        *made,
        label("u6", 20, "late", order_id="order-6", label="fraud"),
        label("u6", 21, "twice", order_id="order-6", label="fraud"),
        label("u7", 22, "first", order_id="order-7", label="fraud"),
        label("u7", 23, "then", order_id="order-7", label="legitimate"),
        label("u8", 24, "user", label="fraud"),
        label("u9", 25, "known good", order_id="order-9", label="legitimate"),
    ]


class Stages:
    """Remembers what each stage was to have, and had."""

    def __init__(self) -> None:
        self.totals: dict[str, int | None] = {}
        self.made: Counter[str] = Counter()

    def stage(self, title: str, total: int | None = None) -> Advance:
        self.totals[title] = total
        return lambda steps: self.made.update({title: steps})


@pytest.fixture
def events(tmp_path: Path) -> Path:
    events = tmp_path / "events.jsonl"
    lines = sorted(orders(), key=lambda one: json.loads(one.value or b"")["ts"])
    lines.append(order("u10", 30, "nothing to pay", value=0))
    events.write_bytes(b"".join((one.value or b"") + b"\n" for one in lines))
    return events


@pytest.fixture
def backtest(events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    for name, action in (("new", "block"), ("old", "warn")):
        (tmp_path / f"{name}.yaml").write_text(RULESET.format(id=name, action=action))
    capsys.readouterr()
    new, old = str(tmp_path / "new.yaml"), str(tmp_path / "old.yaml")
    assert main(["rules", "backtest", new, str(events), "--against", old, "--json"]) == DONE
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_rules_are_measured_against_labels_and_money(backtest: dict[str, Any]) -> None:
    assert (backtest["ruleset"], backtest["orders"], backtest["frauds"]) == ("new/1", 10, 2)
    assert backtest["rules"]["dear"] == {
        "mode": "live",
        "orders": 6,  # 50, 61, 70, 81, 90, 101
        "frauds": 2,
        "precision": 0.3333,
        "recall": 1.0,
        "money": {"fraud": {"EUR": 131.0}, "good": {"EUR": 322.0}},
        "alone": 3,
    }
    assert backtest["rules"]["odd"]["orders"] == 5
    assert backtest["rules"]["never"] == {
        "mode": "off",
        "orders": 0,
        "frauds": 0,
        "precision": None,
        "recall": 0.0,
        "money": {"fraud": {}, "good": {}},
        "alone": 0,
    }
    assert backtest["overlap"] == {"dear and odd": 3}
    assert backtest["actions"] == {"allow": 4, "warn": 0, "verify": 0, "review": 0, "block": 6, "freeze": 0}
    assert backtest["stopped"]["missed"] == {}


def test_what_would_change_is_told_with_the_money_on_both_sides(backtest: dict[str, Any]) -> None:
    against = backtest["against"]
    assert against["stopped"]["orders"] == 0
    assert against["stopped"]["missed"] == {"EUR": 131.0}
    changes = against["changes"]
    assert changes["orders"] == 6
    assert list(changes["by_step"]) == ["warn to block"]
    assert changes["newly_stopped"]["money"] == {"fraud": {"EUR": 131.0}, "good": {"EUR": 322.0}}
    assert changes["no_longer_stopped"]["orders"] == 0


def test_money_of_different_currencies_is_not_added_up() -> None:
    currency = np.array(["EUR", "JPY", "EUR", "JPY"])
    truth = Truth(np.array([True, True, False, True]), np.array([10.0, 5000.0, 30.5, 700.0]), currency)
    found = truth.quality(np.ones(4, np.bool_))
    assert found["money"] == {
        "fraud": {"EUR": 10.0, "JPY": 5700.0},
        "good": {"EUR": 30.5},
    }


def test_labels_of_every_kind_are_accounted_for(backtest: dict[str, Any]) -> None:
    """Before their orders, twice, contradicting, of unknown orders, and of no order at all: nothing is lost."""
    assert backtest["labels"] == {
        "of_orders": 5,
        "of_unknown_orders": 1,
        "without_order": 1,
        "repeated": 1,
        "contradicting": 1,
    }


def test_orders_that_cannot_be_processed_are_counted(backtest: dict[str, Any]) -> None:
    assert backtest["dead_letters"] == {"schema_violation": 1}


def test_a_rule_that_meets_everything_is_named_and_does_not_count_from_then_on(events: Path, tmp_path: Path) -> None:
    everything = RULESET.format(id="all", action="block").replace("value >= 50", "value > 0")
    (tmp_path / "all.yaml").write_text(everything.replace("max_share: 1", "max_share: 0.5, orders: 10"))
    found = backtested(open_settings(), opened(tmp_path / "all.yaml"), None, [events], "native", Silent())
    assert found["put_in_shadow"] == ["dear"]
    assert (found["rules"]["dear"]["orders"], found["actions"]["block"]) == (10, 5)


def test_it_is_told_how_far_a_backtest_got(events: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULESET.format(id="new", action="block"))
    (tmp_path / "before.yaml").write_text(RULESET.format(id="old", action="block"))
    book, other = opened(tmp_path / "rules.yaml"), opened(tmp_path / "before.yaml")
    stages, count = Stages(), len(orders()) + 1
    backtested(open_settings(), book, other, [events], "native", stages)
    assert stages.totals == {"events under new/1": count, "events under old/1": count}
    assert stages.made == stages.totals


def test_orders_that_only_one_side_has_seen_are_not_compared() -> None:
    def judged(*ids: str) -> JudgedOrders:
        actions = [int(order) % 6 for order in ids]
        empty: tuple[tuple[str, str], ...] = ()
        return JudgedOrders(
            list(ids),
            np.ones(len(ids)),
            np.full(len(ids), "EUR"),
            np.array(actions, np.int8),
            np.zeros(len(ids), np.int8),
            [empty] * len(ids),
            [],
        )

    after = replace(judged("1", "2", "3", "4"), action=np.zeros(4, np.int8))
    found = changes(judged("1", "2", "3"), after, OrderLabels())
    assert found["orders"] == 3
    assert found["no_longer_stopped"]["orders"] == 1


@pytest.mark.parametrize("flags", [[], ["x.jsonl", "--shop", "2000"], ["--shop", "2000", "--against", "y.yaml"]])
def test_orders_come_from_one_place(flags: list[str]) -> None:
    assert main(["rules", "backtest", "ruleset.yaml", *flags]) == WRONG_USAGE
