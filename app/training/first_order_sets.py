"""The first orders of accounts as rules and models see them: through the step, and through the velocities."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.replay.recorded import RecordedBatch
from app.replay.recording import open_recording
from app.rules.catalogue import CATALOGUE, OrderColumns
from app.rules.language.nodes import Type
from app.rules.language.parser import parse
from app.rules.language.program import Program
from app.rules.language.values import Column, Numbers
from app.state.columns import Lifetimes
from app.training.payment_sets import noting_frauds
from app.training.rows import order_rows
from app.training.sources import FIRST_ORDERS
from app.velocity.catalogue import BY_NAME
from app.velocity.definitions import Velocity
from app.velocity.stream import streamed
from schemas.events import Order

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

VELOCITIES: tuple[Velocity, ...] = tuple(
    BY_NAME[f"{entity}_{what}_{window}"]
    for entity in ("device", "ip", "network")
    for window in ("24h", "30d")
    for what in ("orders", "users", "frauds")
)
_COLUMNS = {velocity.name: place for place, velocity in enumerate(VELOCITIES)}
_TYPES = {**CATALOGUE.types, **dict.fromkeys(_COLUMNS, Type.NUMBER)}


@dataclass(frozen=True, eq=False)
class FirstOrders:
    """Orders [n] in the order of their times in ms, each with all that was known at it.

    ``features`` [n, G] are the step's, in the order of ``ORDER_FEATURES``, ``velocities`` [n, V] those of
    ``VELOCITIES``, NaN where an order does not name the entity; ``device`` [n] are numbers, and ``fraud`` [n] is what
    turned out, whenever.
    """

    orders: list[Order]
    ts: Ints
    device: Ints
    features: NDArray[np.float32]
    velocities: NDArray[np.float64]
    fraud: Flags

    @property
    def inputs(self) -> NDArray[np.float32]:
        """All of both as a model takes them [n, G + V]; what an order does not name counts as 0."""
        return np.hstack([self.features, np.nan_to_num(self.velocities)]).astype(np.float32)

    def meet(self, when: str) -> Flags:
        """Which orders [n] meet the condition of a rule."""
        unknown = np.full(len(self.ts), np.nan)
        columns = OrderColumns(self.orders, self.features, unknown, unknown)

        def read(name: str) -> Column:
            return Numbers.of(self.velocities[:, _COLUMNS[name]]) if name in _COLUMNS else columns.read(name)

        (met,) = Program([parse(when, _TYPES)]).evaluate(read, len(self.ts)).holds()
        return np.asarray(met)


def read_first_orders(file: Path, lifetimes: Lifetimes) -> FirstOrders:
    """Every order of ``file``.

    Raises:
        UsageProblem: it cannot be read, or holds none.
    """
    frauds: set[str] = set()
    rows = order_rows(_recording(file), lifetimes, _unwatched)
    parts = list(streamed(noting_frauds(_recording(file), frauds), VELOCITIES))
    orders = [order for part in parts for order in part.orders]
    place = {order_id: row for row, order_id in enumerate(rows.order_ids)}
    return FirstOrders(
        orders=orders,
        ts=np.concatenate([part.ts for part in parts]),
        device=np.unique([order.device_id or order.order_id for order in orders], return_inverse=True)[1],
        features=rows.features[[place[order.order_id] for order in orders]],
        velocities=np.concatenate([part.values for part in parts]),
        fraud=np.array([order.order_id in frauds for order in orders]),
    )


def _recording(file: Path) -> Iterable[RecordedBatch]:
    return open_recording([file], FIRST_ORDERS.adapter)


def _unwatched(events: int) -> None:
    """Nobody looks at the progress."""
