"""``sluice evaluate risk`` on a small file of made-up payments."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from app.cli.evaluate_risk import risk

ROWS = 3_000


def payments(path: Path, first: datetime, days: int, frauds: bool = True) -> Path:
    """Payments of 60 cards at 20 terminals, those above 220 being frauds."""
    random = np.random.default_rng(1)
    amount = np.round(random.gamma(2, 45, ROWS) + 1, 2)
    seconds = np.sort(random.integers(0, days * 86_400, ROWS))
    pl.DataFrame(
        {
            "TRANSACTION_ID": np.arange(ROWS),
            "TX_DATETIME": [first + timedelta(seconds=int(second)) for second in seconds],
            "CUSTOMER_ID": random.integers(0, 60, ROWS),
            "TERMINAL_ID": random.integers(0, 20, ROWS),
            "TX_AMOUNT": amount,
            "TX_FRAUD": ((amount > 220) & frauds).astype(int),
        }
    ).write_parquet(path)
    return path


def run(*options: str) -> tuple[int, str]:
    result = CliRunner().invoke(risk, [*options, "--json"])
    return result.exit_code, result.output


def test_a_file_is_measured_whole_with_the_committed_model(tmp_path: Path) -> None:
    file = payments(tmp_path / "new.parquet", datetime(2018, 9, 1), 5)
    code, output = run("--data", str(file), "--sets", str(tmp_path))
    assert code == 0, output
    figures = json.loads(output)
    assert figures["rows"] == ROWS
    assert figures["model"].startswith("payments/")
    assert figures["average_precision"] > 5 * figures["rate"]


def test_history_is_not_measured_and_tells_which_cards_are_known_victims(tmp_path: Path) -> None:
    file = payments(tmp_path / "new.parquet", datetime(2018, 9, 1), 5)
    before = payments(tmp_path / "old.parquet", datetime(2018, 8, 28), 4)
    code, output = run("--data", str(file), "--history", str(before))
    assert code == 0, output
    assert ROWS // 2 < json.loads(output)["rows"] < ROWS


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--history", "x.parquet"], "--history comes before"), (["--data", "none.parquet"], "does not exist")],
)
def test_what_cannot_be_measured_is_said(options: list[str], message: str) -> None:
    code, output = run(*options)
    assert code == 2
    assert message in output


def test_a_file_without_frauds_measures_nothing(tmp_path: Path) -> None:
    file = payments(tmp_path / "new.parquet", datetime(2018, 9, 1), 5, frauds=False)
    code, output = run("--data", str(file), "--sets", str(tmp_path))
    assert code == 2
    assert "is a fraud" in output
