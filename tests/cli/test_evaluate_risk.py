"""``sluice evaluate risk`` on small files of made-up payments and first orders."""

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


def first_orders(path: Path, first: datetime, rings: int, others: int, number: int = 0) -> Path:
    """Orders from ``number`` on: rings of three accounts on one device that buy as they sign up, and accounts a day old
    on devices of their own, of which every fifth is a fraud."""
    members = [(3600 * ring + 60 * member, f"ring-{ring}", 1, 0) for ring in range(rings) for member in range(3)]
    alone = [(7 * 3600 * place + 30, f"own-{place}", int(place % 5 == 0), 86_400) for place in range(others)]
    orders = pl.DataFrame([*members, *alone], schema=["seconds", "device_id", "class", "age"], orient="row")
    time = pl.lit(first) + pl.duration(seconds="seconds")
    orders.with_row_index("row_id", offset=number).select(
        "row_id",
        "device_id",
        "class",
        user_id="row_id",
        purchase_time=time,
        signup_time=time - pl.duration(seconds="age"),
        purchase_value=pl.lit(20),
        browser=pl.lit("Chrome"),
        ip_address=pl.lit(None, pl.Float64),
    ).write_parquet(path)
    return path


def test_a_ring_is_found_by_its_second_account_and_its_first_is_found_with_it(tmp_path: Path) -> None:
    file = first_orders(tmp_path / "new.parquet", datetime(2015, 1, 3), rings=10, others=20)
    code, output = run("--set", "fraud_ecommerce", "--data", str(file), "--sets", str(tmp_path))
    assert code == 0, output
    rings = json.loads(output)["rings"]
    assert (rings["ring_orders"], rings["rings"]) == (30, 10)
    at_the_order = rings["at_the_order"]["shared_device"]
    assert (at_the_order["orders"], at_the_order["precision"], at_the_order["recall"]) == (20, 1.0, 0.6667)
    found = rings["once_the_ring_is_found"]
    assert (found["orders"], found["precision"], found["recall"]) == (30, 1.0, 1.0)
    assert rings["at_the_order"]["bought_at_sign_up"]["orders"] == 30


def test_later_orders_are_measured_by_what_is_learned_from_those_before(tmp_path: Path) -> None:
    before = first_orders(tmp_path / "old.parquet", datetime(2015, 1, 3), rings=20, others=120)
    file = first_orders(tmp_path / "new.parquet", datetime(2015, 3, 1), rings=10, others=20, number=1_000)
    code, output = run("--set", "fraud_ecommerce", "--data", str(file), "--history", str(before))
    assert code == 0, output
    figures = json.loads(output)
    assert figures["rows"] == 50
    assert figures["by_time"]["logistic"]["auc"] > 0.8 > figures["by_time"]["prior"]["auc"]
    assert figures["by_time"]["published"]["afd_tfi"]["auc"] == 0.636


def test_a_folder_without_the_first_orders_is_named(tmp_path: Path) -> None:
    code, output = run("--set", "fraud_ecommerce", "--sets", str(tmp_path))
    assert code == 2
    assert "there is no" in output
