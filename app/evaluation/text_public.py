"""The text model's architecture on public sets: trained on their training parts, once, and measured."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.evaluation.text_sets import PublicSet, Texts, read_parts
from app.models.session import session_of
from app.models.text import feeds_of
from app.text.ngrams import FEATURES, bag_of
from app.training.progress import Reporter
from app.training.text_baselines import linear_svm, prior
from app.training.text_figures import OUT_OF_SCOPE, Told, log_odds, shares, text_figures
from app.training.text_graph import Floats, text_graph
from app.training.text_trainer import Head, TextSet, batches, counted, fit_text

_AT_ONCE = 512


def evaluate_public(public: PublicSet, sets: Path, file: Path | None, reporter: Reporter) -> dict[str, Any]:
    """The figures of the architecture on ``public``, beside the prior and a linear SVM.

    Args:
        public: the set.
        sets: folder of the public sets.
        file: measured instead of the set's own part.
        reporter: told how far a training got.

    Raises:
        UsageProblem: a file is not there, or not of the set's columns.
    """
    learned, measured = read_parts(public, sets, file)
    inside = [place for place, label in enumerate(learned.labels) if label != OUT_OF_SCOPE]
    names = sorted({learned.labels[place] for place in inside})
    graph = _trained(public, learned, names, reporter)
    texts, labels = [learned.texts[place] for place in inside], [learned.labels[place] for place in inside]
    evidence = _evidence(graph, measured.texts)
    return {
        "set": public.name,
        "rows": len(measured.texts),
        "learned_rows": len(learned.texts),
        "split": public.split if file is None else "learned on the set's training part, measured on the file",
        "model": {
            "name": "text",
            "version": f"trained on {public.name}",
            "int8": True,
            "units": public.recipe.units * public.recipe.members,
        },
        **text_figures(measured.labels, Told(names, evidence, shares(log_odds(evidence)))),
        "baselines": {
            "prior": text_figures(measured.labels, prior(labels, len(measured.texts))),
            "linear_svm": text_figures(measured.labels, linear_svm(texts, labels, measured.texts)),
        },
    }


def _trained(public: PublicSet, learned: Texts, names: Sequence[str], reporter: Reporter) -> bytes:
    """The model that ``learned`` and the recipe make, from the cache if it was made before."""
    made_of = f"{learned.digest} {public.recipe} {FEATURES}"
    path = _cache() / f"{public.name}-{Texts([made_of], ['']).digest[:16]}.onnx"
    if path.is_file():
        return path.read_bytes()
    truth = np.array([[float(label == name) for name in names] for label in learned.labels], np.float32)
    truth[[label == OUT_OF_SCOPE for label in learned.labels]] = 1 / len(names)  # none more than any other
    one = TextSet(counted(learned.texts), truth)
    heads = [Head("labels", len(names))]
    advance = reporter.stage(f"learn {public.name}", batches(one, public.recipe))
    graph = text_graph(fit_text(one, heads, public.recipe, advance), {"labels": len(names)})
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_bytes(graph)
    partial.replace(path)
    return graph


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "sluice" / "text"


def _evidence(graph: bytes, texts: Sequence[str]) -> Floats:
    """The probability of each label by itself [n, K]."""
    session = session_of(graph)
    parts = []
    for start in range(0, len(texts), _AT_ONCE):
        some = texts[start : start + _AT_ONCE]
        parts.append(session.run(["labels"], feeds_of(bag_of(some), len(some)))[0])
    return np.concatenate(parts)
