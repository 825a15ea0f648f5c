"""How fast a model alone is: no events, no features, only its graph on batches of several sizes."""

from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from app.bench.timing import seconds_of_calls
from app.bench.workloads import Feeds, feeds_for
from app.cli.errors import UsageProblem
from app.features.clicks import CLICK_FEATURES
from app.models.manifest import MANIFEST_FILE, read_manifest
from app.models.repository import StoredModel, read_model, versions
from app.models.session import Provider, Session, open_session
from app.text.ngrams import FEATURES

SIZES: Final = (1, 64, 1024, 8192)
"""Rows of a batch; the last is more than a worker reads at once, and where a GPU may pay."""

TOLERANCE: Final = 1e-3
"""What an output may differ by between providers."""

_FEATURES: Final = {
    "intent": [feature.name for feature in CLICK_FEATURES],
    "risk": None,  # each names its own
    "text": FEATURES,
}


def bench_model(repository: Path, name: str, version: str | None, provider: Provider) -> dict[str, object]:
    """Rows a second by batch size; the provider that really ran; and how far its outputs are from the CPU's.

    Raises:
        UsageProblem: the model is not there or damaged, or its outputs differ from the CPU's by more than `TOLERANCE`.
    """
    stored = _stored(repository, name, version)
    session, on_cpu = open_session(stored, provider), open_session(stored, "cpu")
    names = [tensor.name for tensor in stored.manifest.outputs]
    batches, apart = {}, 0.0
    for rows in SIZES:
        feeds = feeds_for(stored.manifest, rows)
        apart = max(apart, _apart(session, on_cpu, names, feeds))
        seconds = seconds_of_calls({"model": partial(session.run, names, feeds)}, rows)["model"]
        batches[str(rows)] = {"latency_us": round(seconds * 1e6, 1), "rows_per_second": round(rows / seconds)}
    ran = session.get_providers()[0]
    if apart > TOLERANCE:
        raise UsageProblem(
            f"{name}/{stored.manifest.version} gives other numbers on {ran} than on the CPU: {apart:.2g} apart, "
            f"at most {TOLERANCE:g} is allowed; run it with --provider cpu"
        )
    return {
        "model": f"{name}/{stored.manifest.version}",
        "wanted": provider,
        "ran_on": ran,
        "apart_from_cpu": apart,
        "batches": batches,
    }


def _stored(repository: Path, name: str, version: str | None) -> StoredModel:
    known = versions(repository, name)
    if version is None and not known:
        raise UsageProblem(f"there is no model {name} in {repository}; name one with --model-repository")
    version = version or str(known[-1])
    kind = read_manifest(repository / name / version / MANIFEST_FILE).kind
    return read_model(repository, kind, name, version, _FEATURES[kind])


def _apart(session: Session, other: Session, names: list[str], feeds: Feeds) -> float:
    pairs = zip(session.run(names, feeds), other.run(names, feeds), strict=True)
    return max(float(np.abs(one - two).max()) for one, two in pairs)
