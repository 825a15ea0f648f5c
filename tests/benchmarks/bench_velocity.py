"""The handbook's features, streamed payment by payment, against polars over the whole table.

python -m tests.benchmarks.bench_velocity [TRANSACTIONS.parquet]

Source: Le Borgne et al., Fraud Detection Handbook (2022), chapter 3: payments and mean amount of a customer, payments
and risk of a terminal in 1, 7 and 30 days, the latter two seven days late. The engine refuses payments of 0, so they
are left out of both.
"""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from app.replay.recording import open_recording
from app.velocity.definitions import DAY_MS, Velocity
from app.velocity.stream import streamed

PAYMENTS = Path(__file__).parents[3] / "shared/data/payments_handbook/transactions.parquet"
DELAY_MS = 7 * DAY_MS
WINDOWS = {"24h": 1, "7d": 7, "30d": 30}
HANDBOOK: tuple[Velocity, ...] = tuple(
    velocity
    for window in WINDOWS
    for velocity in (
        Velocity("user", "count", window, "benchmark"),
        Velocity("user", "mean", window, "benchmark"),
        Velocity("merchant", "count", window, "benchmark", delay_ms=DELAY_MS),
        Velocity("merchant", "fraud_share", window, "benchmark", delay_ms=DELAY_MS),
    )
)


@dataclass(frozen=True)
class Comparison:
    """Payments compared, how many differ by feature, the largest difference, and the seconds both took."""

    rows: int
    values: int
    differing: dict[str, int]
    largest: float
    streamed_seconds: float
    batch_seconds: float


def batch(payments: pl.DataFrame) -> pl.DataFrame:
    """The features by polars, one row per payment."""
    table = payments.with_columns(one=pl.lit(1), at=_in_turn("CUSTOMER_ID"), at_terminal=_in_turn("TERMINAL_ID"))
    columns = []
    for name, days in WINDOWS.items():
        columns += [
            _rolling(pl.col("one"), "at", days, "CUSTOMER_ID").alias(f"user_orders_{name}"),
            _rolling(pl.col("TX_AMOUNT"), "at", days, "CUSTOMER_ID").alias(f"spent_{name}"),
            _late(pl.col("one"), days).alias(f"merchant_orders_{name}_after_7d"),
            _late(pl.col("TX_FRAUD").cast(pl.Int64), days).alias(f"frauds_{name}"),
        ]
    found = table.sort("at").select("TRANSACTION_ID", *columns)
    ratios = []
    for name in WINDOWS:
        late = pl.col(f"merchant_orders_{name}_after_7d")
        ratios += [
            (pl.col(f"spent_{name}") / pl.col(f"user_orders_{name}")).alias(f"user_mean_value_{name}"),
            pl.when(late > 0)
            .then(pl.col(f"frauds_{name}") / late)
            .otherwise(0.0)
            .alias(f"merchant_fraud_share_{name}_after_7d"),
        ]
    return found.with_columns(ratios)


def _in_turn(group: str) -> pl.Expr:
    """Times that differ where payments of a group have the same second: each sees those before it."""
    turn = pl.int_range(pl.len()).over(group, "TX_DATETIME")
    return pl.col("TX_DATETIME").cast(pl.Datetime("ns")) + pl.duration(nanoseconds=turn)


def _rolling(value: pl.Expr, at: str, days: int, group: str) -> pl.Expr:
    return value.cast(pl.Float64).rolling_sum_by(at, f"{days}d", closed="right").over(group)


def _late(value: pl.Expr, days: int) -> pl.Expr:
    """The handbook's window before the delay: the longer one minus the delay's."""
    both, delay = (_rolling(value, "at_terminal", length, "TERMINAL_ID") for length in (7 + days, 7))
    return both - delay


def compare(path: Path, batches: int | None = None) -> Comparison:
    """Stream a file, or its first ``batches`` of at most 8,192 events, and compare every value of every payment."""
    payments = (
        pl.read_parquet(path, n_rows=batches and batches * 8_192)
        .filter(pl.col("TX_AMOUNT") > 0)
        .cast({"TRANSACTION_ID": pl.Int64})
    )
    begun = time.process_time()
    expected = batch(payments)
    batch_seconds = time.process_time() - begun
    begun = time.process_time()
    parts = list(streamed(islice(open_recording([path], "payments-handbook"), batches), HANDBOOK))
    streamed_seconds = time.process_time() - begun
    ids = np.array([int(order.order_id) for part in parts for order in part.orders])
    values = np.concatenate([part.values for part in parts])
    rows = pl.DataFrame({"TRANSACTION_ID": ids}).join(expected, on="TRANSACTION_ID", maintain_order="left")
    if len(rows) != len(ids) or (batches is None and len(ids) != len(payments)):
        raise AssertionError("the engine and polars have different payments")
    return compared(HANDBOOK, values, rows, streamed_seconds, batch_seconds)


def compared(
    velocities: Sequence[Velocity],
    values: NDArray[np.float64],
    expected: pl.DataFrame,
    streamed_seconds: float,
    batch_seconds: float,
) -> Comparison:
    """How ``values`` [n, velocities] differ from those of ``expected``, rows in the same order."""
    wanted = expected.select(velocity.name for velocity in velocities).to_numpy()
    difference = np.abs(values - wanted)
    is_mean = np.array([velocity.aggregate in ("mean", "fraud_share") for velocity in velocities])
    wrong = np.where(is_mean, difference > 1e-6, values != wanted)
    names = [velocity.name for velocity in velocities]
    return Comparison(
        rows=len(values),
        values=values.size,
        differing=dict(zip(names, wrong.sum(axis=0).tolist(), strict=True)),
        largest=float(difference.max()),
        streamed_seconds=round(streamed_seconds, 1),
        batch_seconds=round(batch_seconds, 1),
    )


if __name__ == "__main__":
    found = compare(Path(sys.argv[1]) if len(sys.argv) > 1 else PAYMENTS)
    sys.stdout.write(json.dumps(vars(found), indent=1) + "\n")
