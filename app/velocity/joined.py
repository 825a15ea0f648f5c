"""What orders were told by the owners of their entities, on the way into the step."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Values [n, names] of orders [n], NaN where there is none; ``partial`` [n] where some answer did not come in time.

    ``names`` are those of the velocities. ``repeated`` [n] are those that came before, and count nowhere.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    partial: NDArray[np.bool_]
    repeated: NDArray[np.bool_]

    def at(self, index: NDArray[np.int64]) -> "Joined":
        """The same of some orders."""
        return Joined(self.names, self.values[index], self.partial[index], self.repeated[index])

    def column(self, name: str) -> NDArray[np.float64]:
        """One velocity of all orders [n]; NaN if nobody was asked for it."""
        if name not in self.names:
            return np.full(len(self.values), np.nan)
        return np.ascontiguousarray(self.values[:, self.names.index(name)])


def put_together(parts: Sequence[Joined]) -> Joined | None:
    """Orders one part after the other, all told the same velocities; None without any part."""
    if not parts:
        return None
    values, partial, repeated = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("values", "partial", "repeated")
    )
    return Joined(parts[0].names, values, partial, repeated)
