"""From recordings to a stored model that a worker can load: the whole training, on a little of the simulated shop."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest

from app.cards.card import CARD_FILE
from app.models.manifest import MANIFEST_FILE, read_manifest
from app.models.runtime import load_intent, load_risk
from app.training import measuring
from app.training.click_sets import ClickSet, read_click_set
from app.training.fitting import fitted_on_past
from app.training.gru import GruSettings
from app.training.intent import fit_intent
from app.training.order_sets import OrderSet, read_order_set
from app.training.progress import Silent
from app.training.risk import fit_risk
from app.training.sources import MEASURE, ORDER_SHOP, SHOP, Split
from app.training.storing import CURVES_FILE, MEASURED_FILE, REPORT_FILE, store
from tests.training.recordings import LIFETIMES, ignored

NOWHERE = Path("/nonexistent")
CREATED = "2026-01-01T00:00:00+00:00"
START = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = GruSettings(epochs=3, lanes=16)
SPLIT = Split(datetime(2026, 1, 9, tzinfo=UTC), datetime(2026, 1, 12, tzinfo=UTC))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clicks() -> ClickSet:
    source = replace(SHOP, users=300, events=12_000, events_per_second=0.01, split=SPLIT)
    return read_click_set(source, NOWHERE, LIFETIMES, ignored)


@pytest.fixture(scope="module")
def orders() -> OrderSet:
    source = replace(ORDER_SHOP, users=600, events=40_000, events_per_second=0.03, split=SPLIT)
    return read_order_set(source, NOWHERE, LIFETIMES, ignored, START)


def test_a_trained_intent_model_beats_the_prior_and_loads(
    clicks: ClickSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "boosted", lambda inputs, right, asked, seed: np.full(len(asked), 0.5))  # slow
    trained = fit_intent([clicks], "1", CREATED, SETTINGS, Silent())
    folder = store(tmp_path, trained)
    assert {path.name for path in folder.iterdir()} == {
        "model.onnx",
        MEASURED_FILE,
        MANIFEST_FILE,
        REPORT_FILE,
        CURVES_FILE,
        CARD_FILE,
    }
    model = load_intent(tmp_path)
    for question in ("purchase", "session_end", "abandonment"):
        figures = trained.manifest.metrics[f"shop: {question}"]
        assert figures["model"]["log_loss"] < figures["prior"]["log_loss"]
        assert {"logistic", "gradient_boosted_trees"} <= figures.keys()
    for question in ("intent", "next_action"):
        figures = trained.manifest.metrics[f"shop: {question}"]
        assert figures["model"]["log_loss"] < figures["prior"]["log_loss"]
    probabilities = clicks.scored(model).probabilities
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def graph_of(clicks: ClickSet) -> bytes:
    fitted = fitted_on_past([clicks], SETTINGS, 1, Silent())
    return fitted.inputs.graph(fitted.weights)


def test_the_same_rows_train_the_same_model_and_labels_of_the_measured_days_do_not_reach_it(clicks: ClickSet) -> None:
    spoilt = replace(
        clicks.labels, intent=np.where(clicks.part == MEASURE, 6 - clicks.labels.intent, clicks.labels.intent)
    )
    first = graph_of(clicks)
    assert graph_of(clicks) == first
    assert graph_of(replace(clicks, labels=spoilt)) == first


def test_a_trained_risk_model_beats_the_prior_and_loads(orders: OrderSet, tmp_path: Path) -> None:
    trained = fit_risk([orders], "1", CREATED)
    manifest = read_manifest(store(tmp_path, trained) / MANIFEST_FILE)
    assert manifest == msgspec.structs.replace(trained.manifest, golden=manifest.golden)
    assert f"]({CURVES_FILE})" in (tmp_path / "risk" / "1" / REPORT_FILE).read_text()
    drawn = (tmp_path / "risk" / "1" / CURVES_FILE).read_text()
    assert all(f">{title}<" in drawn for title in ("shop: fraud", "ROC", "precision and recall", "calibration"))
    assert manifest.golden is not None
    figures = manifest.metrics["shop"]
    assert figures["model"]["average_precision"] > 2 * figures["prior"]["average_precision"]
    model = load_risk(tmp_path)
    scores = model.score(orders.rows.given(model.inputs))
    assert scores.probability[orders.fraud].mean() > 5 * scores.probability[~orders.fraud].mean()
    assert 0 < model.mapping.p_elevated < model.mapping.p_highest < 1


def test_the_report_shows_every_figure(orders: OrderSet, tmp_path: Path) -> None:
    trained = fit_risk([orders], "3", CREATED)
    report = (store(tmp_path, trained) / REPORT_FILE).read_text()
    assert "# Model risk, version 3" in report
    for name, figures in trained.manifest.metrics["shop"].items():
        assert f"| {name} |" in report
        assert f"{figures['log_loss']:.4g}" in report
