"""Which orders were frauds, and whose cards the handbook's protocol leaves out."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.cli.errors import UsageProblem
from app.models.manifest import DataFile
from app.training.order_sets import DAY_MS, OrderSet, read_order_set
from app.training.rows import OrderRows
from app.training.sources import PAYMENTS
from tests.training.recordings import LIFETIMES, ignored

START = datetime(2018, 4, 1, tzinfo=UTC)


def order_set(users: list[str], days: list[int], fraud: list[bool]) -> OrderSet:
    rows = OrderRows(
        [str(number) for number in range(len(users))],
        users,
        np.array(days) * DAY_MS,
        np.zeros((len(users), 1), np.float32),
    )
    return OrderSet("set", rows, np.array(fraud), np.zeros(len(users), np.int64), DataFile("", "", "", 0), "")


def test_a_victim_is_left_out_from_the_eighth_day_after_the_fraud() -> None:
    one = order_set(["a"] * 4, [10, 17, 18, 30], [True, False, False, False])
    assert one.unknown(0).tolist() == [True, True, False, False]


def test_others_and_frauds_before_the_period_leave_nobody_out() -> None:
    one = order_set(["a", "b", "a"], [10, 30, 30], [True, False, False])
    assert one.unknown(11 * DAY_MS).tolist() == [True, True, True]
    assert one.unknown(0).tolist() == [True, True, False]


def test_frauds_come_from_the_labels_that_follow(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {
            "TRANSACTION_ID": [0, 1, 2],
            "TX_DATETIME": [datetime(2018, 7, 1, hour) for hour in (1, 2, 3)],
            "CUSTOMER_ID": [5, 6, 5],
            "TERMINAL_ID": [9, 9, 9],
            "TX_AMOUNT": [10.0, 20.0, 250.0],
            "TX_FRAUD": [0, 0, 1],
        }
    )
    path = tmp_path / PAYMENTS.file
    path.parent.mkdir()
    table.write_parquet(path)
    one = read_order_set(PAYMENTS, tmp_path, LIFETIMES, ignored, START)
    assert one.rows.order_ids == ["0", "1", "2"]
    assert one.fraud.tolist() == [False, False, True]
    assert one.described.rows == 3
    assert one.part.tolist() == [0, 0, 0]


def test_a_data_set_that_is_not_there_is_a_usage_problem(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="with --data"):
        read_order_set(PAYMENTS, tmp_path, LIFETIMES, ignored, START)
