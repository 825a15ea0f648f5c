"""What a risk model is given of an order: columns by name, of the order's features and of its entities' velocities.

Training and the step make them here, so that a model is asked about the very numbers that it learned from.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.features.clicks import Feature
from app.features.orders import ORDER_FEATURES
from app.velocity.catalogue import BY_NAME
from app.velocity.definitions import Velocity
from app.velocity.joined import Joined

Floats = NDArray[np.float32]

_FEATURES = {feature.name: feature for feature in ORDER_FEATURES}
_COLUMNS = {name: column for column, name in enumerate(_FEATURES)}


class UnknownInputs(ValueError):
    """Names that neither catalogue has: says which."""


class OrderInputs:
    """The inputs of a model, in the order in which it takes them.

    Args:
        names: of features of ``ORDER_FEATURES``, and of velocities of the catalogue.

    Raises:
        UnknownInputs: there are others among them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        if unknown := [name for name in names if name not in _FEATURES and name not in BY_NAME]:
            raise UnknownInputs(", ".join(unknown))
        self.names = tuple(names)
        self.features = tuple(_FEATURES.get(name) or _as_feature(BY_NAME[name]) for name in names)
        self.velocities: tuple[Velocity, ...] = tuple(BY_NAME[name] for name in names if name in BY_NAME)
        """Those that must be asked for, so that they are known."""
        self._own = np.array(
            [(place, _COLUMNS[name]) for place, name in enumerate(names) if name in _COLUMNS], np.int64
        )
        self._asked = [(place, name) for place, name in enumerate(names) if name in BY_NAME]

    def of(self, features: Floats, joined: Joined | None) -> Floats:
        """The inputs [n, names] of orders [n]; a velocity is NaN where it is not known.

        Args:
            features: in the order of ``ORDER_FEATURES`` [n, G].
            joined: what the orders were told of their entities; None where nobody asked.
        """
        found = np.full((len(features), len(self.names)), np.nan, np.float32)
        places, columns = self._own.T
        found[:, places] = features[:, columns]
        if joined is not None and self._asked:
            told = {name: column for column, name in enumerate(joined.names)}
            known = [(place, told[name]) for place, name in self._asked if name in told]
            places, columns = np.array(known, np.int64).reshape(-1, 2).T
            found[:, places] = joined.values[:, columns]
        return found


def _as_feature(velocity: Velocity) -> Feature:
    return Feature(velocity.name, velocity.unit, velocity.label, velocity.window)


RISK_INPUTS = OrderInputs([name for name in _FEATURES if name != "time_of_day"])
"""What `sluice train risk` learns from: the order's features, of which `hour` says the time already."""
