"""The models in the repository fit the code beside them."""

from pathlib import Path

import numpy as np
import pytest

from app.cards.card import CARD_FILE
from app.features.clicks import CLICK_FEATURES
from app.models.manifest import MANIFEST_FILE, read_manifest
from app.models.runtime import load_intent, load_risk
from app.models.score import risk_score
from app.state.rows import HIDDEN_UNITS
from app.training.storing import CURVES_FILE, MEASURED_FILE, REPORT_FILE

REPOSITORY = Path(__file__).resolve().parent.parent.parent / "onnx"
ALWAYS = {"model.onnx", MANIFEST_FILE, REPORT_FILE, CARD_FILE}
FOLDERS = sorted(path.parent for path in REPOSITORY.glob(f"*/*/{MANIFEST_FILE}"))


def test_the_intent_model_scores_the_first_click_of_a_visitor() -> None:
    model = load_intent(REPOSITORY, provider="cpu")
    features = np.zeros((1, len(CLICK_FEATURES)), np.float32)
    scores = model.score(features, np.zeros((1, HIDDEN_UNITS), np.float32))
    assert scores.hidden.shape == (1, HIDDEN_UNITS)
    assert abs(scores.probabilities.sum() - 1) < 1e-5
    assert 0 < scores.purchase[0] < 1


def test_the_risk_model_calls_an_ordinary_order_normal() -> None:
    model = load_risk(REPOSITORY, provider="cpu")
    names = model.inputs.names
    order = np.zeros((1, len(names)), np.float32)
    usual = {"amount": 40, "amount_over_mean_30d": 1, "since_order_seconds": 50_000, "has_ordered": 1, "hour": 12}
    windows = {name: 1 for name in names if name.startswith("orders_")}
    amounts = {name: 40 for name in names if name.startswith(("spent_", "mean_"))}
    for name, value in (usual | windows | amounts).items():
        order[0, names.index(name)] = value
    assert risk_score(model.score(order).probability, model.mapping)[0] < 65


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_a_manifest_says_where_its_model_lies_and_what_it_beat(folder: Path) -> None:
    manifest = read_manifest(folder / MANIFEST_FILE)
    assert (manifest.name, manifest.version) == (folder.parent.name, folder.name)
    assert manifest.metrics
    for figures in manifest.metrics.values():
        assert {"model", "prior"} <= figures.keys()
        assert figures.keys() & {"logistic", "transitions"}
        assert figures["model"]["log_loss"] < figures["prior"]["log_loss"]
    files = {path.name for path in folder.iterdir()}
    assert ALWAYS <= files <= {*ALWAYS, MEASURED_FILE, CURVES_FILE}


@pytest.mark.parametrize("name", ["risk", "payments"])
def test_the_last_bit_of_a_risk_does_not_depend_on_the_orders_beside(name: str) -> None:
    model, random = load_risk(REPOSITORY, name, provider="cpu"), np.random.default_rng(0)
    shape = (1_100, len(model.inputs.names))  # more than the model gets at once
    features = (random.exponential(1, shape) * random.choice([0, 1, 1_000], shape)).astype(np.float32)
    together = model.score(features)
    for size in (1, 2, 3, 5, 7, 33, 700):
        parts = [model.score(features[at : at + size]) for at in range(0, len(features), size)]
        assert np.concatenate([part.probability for part in parts]).tobytes() == together.probability.tobytes()
        assert np.concatenate([part.contributions for part in parts]).tobytes() == together.contributions.tobytes()
