"""What the payment model says of a payment in a replay is what the evaluation measures."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from app.cli.replay import replay
from app.features.payments import PAYMENT_INPUTS
from app.models.runtime import load_risk
from app.replay.recording import open_recording
from app.training.payment_sets import read_payments
from app.training.sources import PAYMENTS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_replay_gives_the_very_probabilities_of_the_evaluation(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three weeks at a twentieth of the terminals, so that frauds become known; in three partitions."""
    file = tmp_path / "payments.parquet"
    terminal, time = pl.col("TERMINAL_ID").cast(pl.Int64), pl.col("TX_DATETIME")
    payments = pl.scan_parquet(PAYMENTS.path(shared_data))
    payments.filter(time < pl.datetime(2018, 4, 22), terminal % 20 == 3).collect().write_parquet(file)
    monkeypatch.setenv("SLUICE_RISK_MODEL", "payments")
    flags = ["--as", "payments-handbook", "--partitions", "3", "--out", str(tmp_path), "--json"]
    done = CliRunner().invoke(replay, [str(file), *flags, "--model-repository", str(ROOT / "onnx")])
    assert done.exit_code == 0, done.output
    told = [json.loads(line) for line in (tmp_path / "risk-events.jsonl").read_text().splitlines()]
    assert {(one["model"]["name"], one.get("partial")) for one in told} == {("payments", None)}

    rows = read_payments(open_recording([file], PAYMENTS.adapter), lambda events: None)
    known = rows.features[:, PAYMENT_INPUTS.names.index("merchant_frauds_30d")]
    assert (known > 0).sum() > 50
    expected = load_risk(ROOT / "onnx", "payments").score(rows.features).probability
    assert len(told) == len(expected) > 5_000
    by_time = sorted((one["ts"], one["probability"]) for one in told)
    wanted = sorted(zip(rows.ts.tolist(), expected.tolist(), strict=True))
    assert [ts for ts, _ in by_time] == [ts for ts, _ in wanted]
    np.testing.assert_allclose([p for _, p in by_time], [p for _, p in wanted], rtol=0, atol=1e-6)
