"""``sluice bench --model``: a model alone, by batch size and provider."""

import json
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner

from app.bench import model as bench
from app.bench.timing import seconds_of_calls
from app.bench.workloads import feeds_for, rows_of
from app.cli.bench import bench as command
from app.cli.errors import UsageProblem
from app.models import session as sessions
from app.models.manifest import MANIFEST_FILE, read_manifest
from app.models.repository import StoredModel
from app.models.session import Session
from tests.models.builders import intent_graph, intent_manifest, store
from tests.models.repositories import COMMITTED


@pytest.fixture(autouse=True)
def _few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "SIZES", (1, 8))
    sessions._warn_once.cache_clear()


@pytest.mark.parametrize("name", ["intent", "risk", "text"])
def test_cuda_that_is_absent_is_said_and_the_cpu_measured(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    flags = ["--model", name, "--provider", "cuda", "--model-repository", str(COMMITTED), "--json"]
    done = CliRunner().invoke(command, flags)
    assert done.exit_code == 0, done.output
    assert "models run on the CPU instead of CUDA" in done.stderr
    figures = json.loads(done.stdout)
    assert (figures["wanted"], figures["ran_on"]) == ("cuda", "CPUExecutionProvider")
    assert figures["apart_from_cpu"] == 0
    assert figures["batches"].keys() == {"1", "8"}
    assert all(batch["rows_per_second"] > 0 for batch in figures["batches"].values())


def test_an_encoder_wider_than_a_workers_is_measured_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    graph = intent_graph(256)
    store(tmp_path, msgspec.structs.replace(intent_manifest(graph, hidden=256), name="intent-256"), graph)
    figures = bench.bench_model(tmp_path, "intent-256", None, "cuda")
    assert figures["ran_on"] == "CPUExecutionProvider"
    assert figures["apart_from_cpu"] == 0


def test_a_provider_that_gives_other_numbers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    real = sessions.open_session

    def opened(stored: StoredModel, provider: sessions.Provider) -> Session:
        session = real(stored, "cpu")
        return Off(session) if provider == "cuda" else session

    monkeypatch.setattr(bench, "open_session", opened)
    with pytest.raises(UsageProblem, match=r"0\.01 apart, at most 0\.001"):
        bench.bench_model(COMMITTED, "intent", None, "cuda")


class Off:
    """A session whose outputs are a hundredth too high."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.get_providers = session.get_providers

    def run(self, *given: object) -> list[np.ndarray]:
        return [values + np.float32(0.01) for values in self._session.run(*given)]  # type: ignore[arg-type]


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="there is no model intent"):
        bench.bench_model(tmp_path, "intent", None, "cpu")


def test_one_text_of_a_batch_is_the_batch_of_that_text() -> None:
    manifest = read_manifest(COMMITTED / "text" / "1" / MANIFEST_FILE)
    feeds = feeds_for(manifest, 4)
    one = rows_of(manifest, feeds, [2])
    np.testing.assert_array_equal(one["buckets"], feeds["buckets"][feeds["text"][:, 0] == 2])
    assert one["text"].max() == 0
    assert one["texts"].tolist() == [1]


def test_calls_take_turns_and_the_slower_takes_longer() -> None:
    order: list[str] = []

    def slow() -> None:
        order.append("slow")
        sum(range(100_000))

    took = seconds_of_calls({"quick": lambda: order.append("quick"), "slow": slow}, 8192)
    assert order[:2] == ["quick", "slow"]
    assert took["quick"] < took["slow"]
