"""Velocities over every entity: orders and labels in, in their order, and the catalogue's values at each order out."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.velocity.definitions import LONGEST_DELAY_MS, RETENTION_MS, UNUSUAL, Velocity
from app.velocity.entities import ENTITIES, USER
from app.velocity.kind import EntityKind
from app.velocity.labels import LabelResolver
from app.velocity.records import Asks, Labels, Mark
from app.velocity.windows import Floats

USUAL = Velocity(ENTITIES[USER], "genuine_ratio", "30d", "velocity", delay_ms=LONGEST_DELAY_MS)
"""What tells other entities whether an order's amount is unusual for its user."""


class VelocityTable:
    """Every entity's log, in memory.

    What an order is told depends on the earlier orders and labels in their turns, never on how they were cut into
    calls. An order sees itself, and the labels before it.

    Args:
        velocities: what is computed, in the order of the columns.
    """

    def __init__(self, velocities: Sequence[Velocity]) -> None:
        self.velocities = tuple(velocities)
        wanted = (*self.velocities, USUAL)
        places = {name: [i for i, each in enumerate(wanted) if each.entity == name] for name in ENTITIES}
        self._places = [np.array(own, np.int64) for own in places.values()]
        self.kinds = [EntityKind(kind, [wanted[i] for i in places[name]]) for kind, name in enumerate(ENTITIES)]
        self.labels = LabelResolver(self.kinds[USER].logs)

    def process(self, orders: Asks, labels: Labels) -> Floats:
        """Take orders [n] and labels in, whose turns are all later than those of the call before.

        Returns:
            The velocities of the orders [n, velocities]; NaN where an order does not name the entity.
        """
        marks = self.labels.marks(orders, labels)
        values = np.full((len(orders), len(self.velocities) + 1), np.nan)
        self._apply(USER, orders, marks, values)
        orders = replace(orders, unusual=(values[:, -1] >= UNUSUAL).astype(np.int64))
        for kind in range(USER + 1, len(ENTITIES)):
            self._apply(kind, orders, marks, values)
        return values[:, :-1]

    def _apply(self, kind: int, orders: Asks, marks: Sequence[Mark], values: Floats) -> None:
        rows = np.flatnonzero(orders.entities[:, kind])
        own = [mark for mark in marks if mark.kind == kind]
        if len(rows) or own:
            values[np.ix_(rows, self._places[kind])] = self.kinds[kind].apply(orders.where(rows), own)

    def expire(self, watermark: int) -> int:
        """Forget entities and labels that nothing was heard of for so long before ``watermark`` (ms) that no window
        can see them; tells how many entities."""
        self.labels.expire(watermark - RETENTION_MS)
        return sum(len(table.logs.expire(watermark - RETENTION_MS)) for table in self.kinds)
