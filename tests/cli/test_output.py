"""Reports: JSON for programs, a table for people."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from app.cli.output import report


@dataclass(frozen=True)
class Latency:
    p50: float
    p99: float


DATA = {
    "events": 1_234_567,
    "latency_ms": {"1000": Latency(5.25, 30.0)},
    "[b]name": "[red]x",
    "rate": np.float32(0.5),
}


def test_json_is_one_object_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    report({**DATA, "out": Path("a/b"), "rows": np.int64(3), "auc": float("nan")}, as_json=True)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {
        "events": 1_234_567,
        "latency_ms": {"1000": {"p50": 5.25, "p99": 30.0}},
        "[b]name": "[red]x",
        "rate": 0.5,
        "out": "a/b",
        "rows": 3,
        "auc": None,
    }


def test_a_table_names_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    report(DATA, as_json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["events", "1,234,567"],
        ["latency_ms"],
        ["1000"],
        ["p50", "5.25"],
        ["p99", "30"],
        ["[b]name", "[red]x"],
        ["rate", "0.5"],
    ]


def test_several_with_the_same_figures_are_rows_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    rules = {
        "dear": {"orders": 1_200, "money": {"good": {"EUR": 5.0}, "fraud": {}}},
        "odd": {"orders": 0, "money": None},
    }
    report({"orders": 9, "rules": rules, "patterns": {"one": {"orders": 1}}, "left": 0}, as_json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["orders", "9"],
        ["rules"],
        ["orders", "money"],
        ["dear", "1,200", "good", "EUR", "5"],
        ["odd", "0", "–"],
        ["patterns"],
        ["one"],
        ["orders", "1"],
        ["left", "0"],
    ]


def test_what_cannot_be_reported_is_named() -> None:
    with pytest.raises(TypeError, match="a report cannot hold a object"):
        report({"x": object()}, as_json=True)
