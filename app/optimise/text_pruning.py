"""Text models with fewer hidden units: those are kept that can move the outputs most."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.models.text import feeds_of
from app.optimise.graphs import constants_of, nodes_of, parsed, probe, rebuilt
from app.optimise.regression import ridge
from app.text.ngrams import bag_of

Floats = NDArray[np.float32]


def pruned(graph: bytes, texts: Sequence[str], units: int, refit: bool) -> bytes:
    """The model with only the strongest ``units`` of its hidden layer, its table as much narrower.

    Args:
        graph: a text model's.
        texts: tell how much each unit varies.
        units: to keep, at most those it has.
        refit: fit the heads anew to the log-odds that the whole model gives ``texts`` (arXiv:1312.6184); without it, a
            unit that is taken out goes on counting with its mean.
    """
    model = parsed(graph)
    constants = constants_of(model)
    active, logits = _values(graph, texts)
    heads = np.asarray(constants["heads"], np.float32)
    effect = active.std(axis=0) * np.linalg.norm(heads, axis=1)
    kept = np.sort(np.argsort(-effect, kind="stable")[:units])
    dropped = np.setdiff1d(np.arange(len(heads)), kept)
    weight, bias = heads[kept], constants["head_bias"] + active[:, dropped].mean(axis=0) @ heads[dropped]
    if refit:
        weight, bias = ridge(active[:, kept], logits)
    columns = np.append(kept, len(heads))  # the last holds the squares
    small = constants | {
        "table": np.ascontiguousarray(constants["table"][:, columns]),
        "scale": constants["scale"][columns],
        "size": np.array([units + 1]),
        "parts": np.array([units, 1]),
        "bias": constants["bias"][kept],
        "heads": weight,
        "head_bias": bias.astype(np.float32),
    }
    return rebuilt(model, nodes_of(model), small)


def _values(graph: bytes, texts: Sequence[str]) -> tuple[Floats, Floats]:
    """What the hidden units [n, D] and the outputs' log-odds [n, K] are for ``texts``."""
    active, logits = probe(graph, ["active", "logits"]).run(["active", "logits"], feeds_of(bag_of(texts), len(texts)))
    return active, logits
