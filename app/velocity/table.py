"""Velocities over every entity: orders and labels in, in their order, and the catalogue's values at each order out."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from app.velocity.definitions import LONGEST_DELAY_MS, RETENTION_MS, UNUSUAL, Velocity
from app.velocity.entities import ENTITIES, USER
from app.velocity.entity_table import EntityTable
from app.velocity.labels import LabelResolver
from app.velocity.records import Asks, Labels
from app.velocity.windows import Floats

USUAL = Velocity(ENTITIES[USER], "genuine_ratio", "30d", "velocity", delay_ms=LONGEST_DELAY_MS)
"""What tells other entities whether an order's amount is unusual for its user."""

IS_USER = np.arange(len(ENTITIES)) == USER


class VelocityTable:
    """Every entity's log, in memory.

    What an order is told depends on the earlier orders and labels in their turns, never on how they were cut into
    calls. An order sees itself, and the labels before it.

    Args:
        velocities: what is computed, in the order of the columns.
    """

    def __init__(self, velocities: Sequence[Velocity]) -> None:
        self.velocities = tuple(velocities)
        of_users = [place for place, each in enumerate(velocities) if each.entity == ENTITIES[USER]]
        others = [place for place, each in enumerate(velocities) if each.entity != ENTITIES[USER]]
        self._of_users, self._of_others = np.array(of_users, np.int64), np.array(others, np.int64)
        self.users = EntityTable([*(velocities[place] for place in of_users), USUAL])
        self.others = EntityTable([velocities[place] for place in others])
        self.labels = LabelResolver(self.users.logs)

    def process(self, orders: Asks, labels: Labels) -> Floats:
        """Take orders [n] and labels in, whose turns are all later than those of the call before.

        Returns:
            The velocities of the orders [n, velocities]; NaN where an order does not name the entity.
        """
        marks, named = self.labels.marks(orders, labels), orders.entities != 0
        values = np.empty((len(orders), len(self.velocities)))
        of_user = self.users.apply(orders, named & IS_USER, [mark for mark in marks if mark.kind == USER])
        orders = replace(orders, unusual=(of_user[:, -1] >= UNUSUAL).astype(np.int64))
        of_others = [mark for mark in marks if USER < mark.kind < len(ENTITIES)]
        values[:, self._of_users] = of_user[:, :-1]
        values[:, self._of_others] = self.others.apply(orders, named & ~IS_USER, of_others)
        return values

    def expire(self, watermark: int) -> int:
        """Forget entities and labels that nothing was heard of for so long before ``watermark`` (ms) that no window
        can see them; tells how many entities."""
        self.labels.expire(watermark - RETENTION_MS)
        return sum(len(table.logs.expire(watermark - RETENTION_MS)) for table in (self.users, self.others))
