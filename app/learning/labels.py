"""What turned out of orders: the `labels` topic, joined to orders by their id."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.events import Label

Flags = NDArray[np.bool_]

GOOD = "legitimate"

_DECODER = msgspec.json.Decoder(Label)


@dataclass(eq=False)
class OrderLabels:
    """The latest label of each order.

    ``of_users`` counts those that name no order, and are joined to none; ``repeated`` those that say of an order again
    what was said before, good or bad; ``contradicting`` those that say the opposite.
    """

    by_order: dict[str, str] = field(default_factory=dict)
    of_users: int = 0
    repeated: int = 0
    contradicting: int = 0

    def take(self, values: Iterable[bytes | None]) -> None:
        """Note labels in the order they were given; what is none went to the dead letters, and is left out."""
        for value in values:
            try:
                label = _DECODER.decode(value or b"")
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            if label.order_id is None:
                self.of_users += 1
            else:
                self._note(label.order_id, label.label)

    def is_bad(self, order_id: str) -> bool:
        """Whether the latest label of an order calls it bad; not so where there is none."""
        return self.by_order.get(order_id, GOOD) != GOOD

    def _note(self, order_id: str, label: str) -> None:
        if (before := self.by_order.get(order_id)) is not None:
            differs = (before == GOOD) != (label == GOOD)
            self.contradicting += differs
            self.repeated += not differs
        self.by_order[order_id] = label

    def joined(self, order_ids: Sequence[str]) -> tuple[Flags, Flags]:
        """Which of the orders [m] have a label, and which were bad [m]."""
        found = [self.by_order.get(order_id) for order_id in order_ids]
        known = np.array([label is not None for label in found], np.bool_)
        return known, known & np.array([label != GOOD for label in found], np.bool_)

    def counted(self, order_ids: Iterable[str]) -> Mapping[str, int]:
        """How many labels were joined to ``order_ids``, and how many tell of orders never seen."""
        seen = len(self.by_order.keys() & set(order_ids))
        return {"joined": seen, "of_unknown_orders": len(self.by_order) - seen, "of_users": self.of_users}
