"""The demo's versions are what it says of them."""

from pathlib import Path

import numpy as np
import pytest

from app.demo.variants import VARIANTS, demo_repository
from app.models.runtime import IntentScorer, load_intent
from app.registry.distribution import counted, shift
from app.registry.loading import INTENT, Refused
from app.replay.load import load
from tests.harness import Worker
from tests.models.repositories import COMMITTED


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo_repository(COMMITTED, tmp_path_factory.mktemp("onnx"))


@pytest.fixture(scope="module")
def features() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Of a few clicks as they come."""
    from app.replay.fetches import Fetches

    worker, fetches = Worker(), Fetches(partitions=1)
    for batch in load(2_000, 100, seed=1, start_ts=1_770_000_000_000, events_per_second=10.0, batch_rows=500):
        for fetched in fetches.of(batch):
            worker.pipeline.feed(fetched)
        worker.drain()
    return np.concatenate([clicks.features for work in worker.works for clicks in work.effects.clicks])


def scores(model: IntentScorer, features: np.ndarray) -> np.ndarray:
    hidden = np.zeros((len(features), 32), np.float32)
    return model.score(features, hidden).purchase


def test_all_but_the_damaged_one_pass_the_registry(repository: Path) -> None:
    for variant in VARIANTS[:-1]:
        assert INTENT.checked(repository, "intent", variant.version, "cpu").version == variant.version
    with pytest.raises(Refused, match="is damaged"):
        INTENT.checked(repository, "intent", VARIANTS[-1].version, "cpu")


def test_the_challenger_is_near_the_one_elsewhere_is_far_and_one_gives_no_numbers(
    repository: Path,
    features: np.ndarray,
) -> None:
    plain, near, encoder, broken, far = (
        scores(load_intent(repository, "intent", version, "cpu"), features) for version in ("1", "2", "3", "4", "5")
    )
    assert shift(counted(plain), counted(near)) < 0.1
    assert (near < plain).all()
    assert shift(counted(plain), counted(far)) > 1
    assert np.isnan(broken).mean() > 0.1
    assert (encoder == plain).all()
    assert load_intent(repository, "intent", "3", "cpu").encoder == "demo"
