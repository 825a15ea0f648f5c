"""Inputs for a model of any kind, made up by a seed: as many rows as wanted."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.models.manifest import Manifest, Tensor
from app.models.text import feeds_of
from app.text.ngrams import bag_of

Feeds = Mapping[str, NDArray[Any]]

_SEED: Final = 11
_WORDS: Final = tuple("我想买 一件 白色的 羽绒服 价格 在500元左右 有没有 折扣 where is my order red shoes".split())  # noqa: SIM905
_WORDS_OF_TEXT: Final = 8


def feeds_for(manifest: Manifest, rows: int) -> Feeds:
    """The inputs of a model for so many ``rows``: texts of eight words, or columns of any size."""
    rng = np.random.default_rng(_SEED)
    if manifest.kind == "text":
        texts = [" ".join(rng.choice(_WORDS, _WORDS_OF_TEXT).tolist()) for _ in range(rows)]
        return feeds_of(bag_of(texts), rows)
    return {tensor.name: _columns(tensor, rows, rng) for tensor in manifest.inputs}


def rows_of(manifest: Manifest, feeds: Feeds, rows: Sequence[int]) -> Feeds:
    """Those of the inputs that belong to ``rows``, as a batch of their own."""
    if manifest.kind != "text":
        return {name: values[list(rows)] for name, values in feeds.items()}
    owner = feeds["text"][:, 0]
    inside = np.isin(owner, list(rows))
    place = np.searchsorted(list(rows), owner[inside])
    count = np.array([len(rows)], np.int64)
    return {"buckets": feeds["buckets"][inside], "text": place[:, None].astype(np.int64), "texts": count}


def _columns(tensor: Tensor, rows: int, rng: np.random.Generator) -> NDArray[np.float32]:
    shape = (rows, int(tensor.shape[1]))
    values = rng.uniform(-1, 1, shape) if tensor.name == "hidden" else rng.exponential(1, shape)
    return values.astype(np.float32)
