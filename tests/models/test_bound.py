"""Inputs and outputs bound to a device: the same numbers as a plain run, batch after batch."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from structlog.testing import capture_logs

from app.features.clicks import CLICK_FEATURES
from app.models import session as sessions
from app.models.bound import BoundSession
from app.models.repository import read_model
from app.models.runtime import load_intent
from app.models.session import open_session, session_of
from app.models.text import OUTPUTS, feeds_of
from app.state.rows import HIDDEN_UNITS
from app.text.ngrams import FEATURES, bag_of
from tests.models.builders import intent_graph, store_intent
from tests.models.repositories import COMMITTED

INTENT_OUTPUTS = ["hidden_after", "probabilities", "purchase"]
WITH_CUDA = ["CUDAExecutionProvider", "CPUExecutionProvider"]


class CudaOnCpu:
    """A session that says it runs on CUDA; what is bound to the device lies in the CPU's memory."""

    def __init__(self, graph: bytes, options: onnxruntime.SessionOptions, providers: list[str]) -> None:
        self._session = REAL(graph, options, providers=["CPUExecutionProvider"])

    def get_providers(self) -> list[str]:
        return WITH_CUDA

    def io_binding(self) -> object:
        return self._session.io_binding()

    def run_with_iobinding(self, binding: object) -> None:
        self._session.run_with_iobinding(binding)


REAL = onnxruntime.InferenceSession


@pytest.fixture(autouse=True)
def _warnings_start_over() -> Iterator[None]:
    sessions._warn_once.cache_clear()
    yield
    sessions._warn_once.cache_clear()


def clicks(rows: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.exponential(1, (rows, len(CLICK_FEATURES))).astype(np.float32)
    return {"features": features, "hidden": rng.uniform(-1, 1, (rows, HIDDEN_UNITS)).astype(np.float32)}


def test_bound_batches_of_any_size_give_what_a_plain_run_gives() -> None:
    plain = session_of(intent_graph())
    bound = BoundSession(REAL(intent_graph(), providers=["CPUExecutionProvider"]), "cpu")
    for seed, rows in enumerate((64, 64, 1, 64, 1024, 1024)):
        feeds = clicks(rows, seed)
        for found, wanted in zip(bound.run(INTENT_OUTPUTS, feeds), plain.run(INTENT_OUTPUTS, feeds), strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_a_result_is_not_overwritten_by_the_next_batch() -> None:
    bound = BoundSession(REAL(intent_graph(), providers=["CPUExecutionProvider"]), "cpu")
    first = bound.run(["hidden_after"], clicks(8, 1))[0]
    before = first.copy()
    bound.run(["hidden_after"], clicks(8, 2))
    np.testing.assert_array_equal(first, before)


def test_a_view_that_is_not_contiguous_is_bound_as_it_reads() -> None:
    bound = BoundSession(REAL(intent_graph(), providers=["CPUExecutionProvider"]), "cpu")
    feeds = clicks(8, 1)
    feeds["hidden"] = clicks(16, 3)["hidden"][::2]
    np.testing.assert_array_equal(bound.run(["hidden_after"], feeds)[0], feeds["hidden"])


def test_texts_are_bound_too() -> None:
    stored = read_model(COMMITTED, "text", "text", None, FEATURES)
    texts = ["红色的鞋", "where is my order?"]
    feeds = feeds_of(bag_of(texts), len(texts))
    bound = BoundSession(REAL(stored.graph, providers=["CPUExecutionProvider"]), "cpu")
    for found, wanted in zip(bound.run(OUTPUTS, feeds), session_of(stored.graph).run(OUTPUTS, feeds), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_a_session_on_cuda_is_bound_and_one_on_the_cpu_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_intent(tmp_path)
    stored = read_model(tmp_path, "intent", "intent", None, [feature.name for feature in CLICK_FEATURES])
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: WITH_CUDA)
    assert not isinstance(open_session(stored, "cpu"), BoundSession)
    monkeypatch.setattr(onnxruntime, "InferenceSession", CudaOnCpu)
    with capture_logs() as lines:
        session = open_session(stored, "cuda")
    assert isinstance(session, BoundSession)
    assert session.get_providers() == WITH_CUDA
    assert lines == []


def test_a_model_scores_through_bound_memory_as_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_intent(tmp_path)
    wanted = load_intent(tmp_path, provider="cpu")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: WITH_CUDA)
    monkeypatch.setattr(onnxruntime, "InferenceSession", CudaOnCpu)
    monkeypatch.setattr("app.models.session.BoundSession", lambda session: BoundSession(session, "cpu"))
    bound = load_intent(tmp_path, provider="auto")
    feeds = clicks(32, 5)
    for found, given in zip(bound.score(**feeds)[:3], wanted.score(**feeds)[:3], strict=True):
        np.testing.assert_allclose(found, given, atol=1e-3)
    turns = feeds["features"].reshape(4, 8, -1)
    for found, given in zip(
        bound.score_in_turn(turns, feeds["hidden"][:8])[:3],
        wanted.score_in_turn(turns, feeds["hidden"][:8])[:3],
        strict=True,
    ):
        np.testing.assert_allclose(found, given, atol=1e-3)
