"""The aggregates of the catalogue, each computed for every order of a batch at once."""

from collections.abc import Callable

import numpy as np

from app.features.scan import Ints
from app.velocity import history
from app.velocity.definitions import Aggregate
from app.velocity.distinct import distinct
from app.velocity.entities import ENTITY_INDEX
from app.velocity.records import MONEY_SCALE
from app.velocity.windows import Floats, Group, Spans, Windows, deviations, ratio_of


def values_of(group: Group, windows: Windows, spans: Spans) -> Floats:
    """The values of velocities that are computed together, one after the other, each at its orders [m]."""
    return np.asarray(_COMPUTED[group.velocities[0].aggregate](group, windows, spans), np.float64)


def _count(_: Group, windows: Windows, spans: Spans) -> Ints:
    return windows.total("count", spans.start, spans.stop)


def _frauds(_: Group, windows: Windows, spans: Spans) -> Ints:
    return windows.total("frauds", spans.start, spans.stop)


def _sum(_: Group, windows: Windows, spans: Spans) -> Floats:
    return np.asarray(windows.total("amount", spans.start, spans.stop) / MONEY_SCALE)


def _mean(group: Group, windows: Windows, spans: Spans) -> Floats:
    return ratio_of(_sum(group, windows, spans), _count(group, windows, spans))


def _fraud_share(group: Group, windows: Windows, spans: Spans) -> Floats:
    return ratio_of(_frauds(group, windows, spans), _count(group, windows, spans))


def _max(_: Group, windows: Windows, spans: Spans) -> Floats:
    return np.asarray(windows.over(np.maximum, "largest", spans.start, spans.stop) / MONEY_SCALE)


def _distinct(group: Group, windows: Windows, spans: Spans) -> Ints:
    pairs = [(ENTITY_INDEX[velocity.entity], ENTITY_INDEX[str(velocity.of)]) for velocity in group.velocities]
    return distinct(pairs, windows, spans.bounds, spans.start)


def _ratio(_: Group, windows: Windows, spans: Spans) -> Floats:
    mean, _deviation, count = _before(windows, spans)
    return np.where(count > 0, windows.amounts(spans.orders) / np.where(count > 0, mean, 1), 1.0)


def _zscore(_: Group, windows: Windows, spans: Spans) -> Floats:
    mean, deviation, _count = _before(windows, spans)
    return deviations(windows.amounts(spans.orders), mean, deviation)


def _before(windows: Windows, spans: Spans) -> tuple[Floats, Floats, Ints]:
    """Mean and standard deviation (1e-4 major units) and number of the orders in the windows before each order."""
    start, stop = spans.start, spans.stop - 1
    count = windows.total("count", start, stop)
    mean = ratio_of(windows.total("amount", start, stop), count)
    squares = ratio_of(windows.over(np.add, "squares", start, stop), count)
    return mean, np.sqrt(np.maximum(squares - mean * mean, 0)), count


_COMPUTED: dict[Aggregate, Callable[[Group, Windows, Spans], Floats | Ints]] = {
    "count": _count,
    "sum": _sum,
    "mean": _mean,
    "max": _max,
    "distinct": _distinct,
    "frauds": _frauds,
    "fraud_share": _fraud_share,
    "ratio": _ratio,
    "zscore": _zscore,
    **history.COMPUTED,
}
