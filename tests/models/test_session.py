"""Where models run: on CUDA when it is there, else on the CPU with one clear warning."""

from collections.abc import Iterator
from pathlib import Path

import onnxruntime
import pytest
from structlog.testing import capture_logs

from app.models import session as sessions
from app.models.runtime import load_intent
from tests.models.builders import store_intent

CPU_ONLY = ["CPUExecutionProvider"]
WITH_CUDA = ["CUDAExecutionProvider", "CPUExecutionProvider"]


@pytest.fixture(autouse=True)
def _warnings_start_over() -> Iterator[None]:
    sessions._warn_once.cache_clear()
    yield
    sessions._warn_once.cache_clear()


def test_cuda_that_is_absent_warns_once_for_all_models_and_runs_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_intent(tmp_path)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: CPU_ONLY)
    with capture_logs() as lines:
        for _ in range(2):
            load_intent(tmp_path, provider="cuda")
    assert [line["log_level"] for line in lines] == ["warning"]
    assert "extra `gpu`" in lines[0]["reason"]


@pytest.mark.parametrize("provider", ["auto", "cpu"])
def test_a_machine_without_cuda_that_nobody_asked_for_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: sessions.Provider
) -> None:
    store_intent(tmp_path)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: CPU_ONLY)
    with capture_logs() as lines:
        load_intent(tmp_path, provider=provider)
    assert lines == []


def test_cuda_that_raises_at_the_start_warns_once_and_runs_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_intent(tmp_path)
    real = onnxruntime.InferenceSession

    def start(graph: bytes, options: onnxruntime.SessionOptions, providers: list[str]) -> object:
        if "CUDAExecutionProvider" in providers:
            raise RuntimeError("no driver")
        return real(graph, options, providers=providers)

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: WITH_CUDA)
    monkeypatch.setattr(onnxruntime, "InferenceSession", start)
    with capture_logs() as lines:
        load_intent(tmp_path, provider="auto")
    assert [line["log_level"] for line in lines] == ["warning"]
    assert "no driver" in lines[0]["reason"]


def test_cuda_that_silently_gives_way_to_the_cpu_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_intent(tmp_path)
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: WITH_CUDA)
    monkeypatch.setattr(
        onnxruntime, "InferenceSession", lambda graph, options, providers: real(graph, options, providers=CPU_ONLY)
    )
    with capture_logs() as lines:
        load_intent(tmp_path, provider="auto")
    assert [line["event"] for line in lines] == ["models run on the CPU instead of CUDA"]


def test_one_thread_runs_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_intent(tmp_path)
    seen: list[onnxruntime.SessionOptions] = []
    real = onnxruntime.InferenceSession

    def start(graph: bytes, options: onnxruntime.SessionOptions, providers: list[str]) -> object:
        seen.append(options)
        return real(graph, options, providers=providers)

    monkeypatch.setattr(onnxruntime, "InferenceSession", start)
    load_intent(tmp_path, provider="cpu")
    assert {(o.intra_op_num_threads, o.inter_op_num_threads) for o in seen} == {(1, 1)}
