"""What rules may name: the order's own fields, what is known of its user, session and entities, what the model says.

A feature becomes usable by an entry here; whoever adds one to ``ORDER_FEATURES`` or to the catalogue of velocities has
added it here as well.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.features.clicks import Feature
from app.features.orders import ORDER_FEATURES
from app.features.words import value_in_words
from app.rules.language.nodes import Type
from app.rules.language.values import Column, Flags, Numbers, Texts
from app.velocity.catalogue import BY_NAME as VELOCITIES
from app.velocity.catalogue import RISK_TEAM
from app.velocity.definitions import Velocity
from app.velocity.joined import Joined
from schemas.events import Order

MODEL_SCORE: Final = "model_score"
MODEL_PROBABILITY: Final = "model_probability"

# Zero stands for unknown in these features, which the one named beside tells; for a rule they are missing then.
_UNKNOWN_UNLESS: Final[Mapping[str, str]] = {
    "since_order_seconds": "has_ordered",
    "since_fraud_seconds": "known_frauds",
    "account_age_seconds": "has_account_age",
}
_NOT_FOR_RULES: Final = {"event_id", "properties", "items"}
_MEANINGS: Final[Mapping[str, str]] = {
    "type": "order_placed or payment_attempted",
    "ts": "time of the order",
    "value": "the order's value",
    "merchant_id": "merchant or terminal",
    "bin": "first digits of the card",
    "account_created_ts": "time the account was created",
}
_UNITS: Final[Mapping[str, str]] = {"ts": "ms", "value": "major units", "account_created_ts": "ms"}


@dataclass(frozen=True, slots=True)
class Field:
    """A name that rules may use, and what it means; ``label`` is that in the few words that a reason has.

    ``window`` is what it looks back over, ``owner`` the team that answers for how it is computed; both are empty where
    it is a field of the event.
    """

    name: str
    type: Type
    meaning: str
    unit: str
    source: str
    label: str = ""
    window: str = ""
    owner: str = ""


class Catalogue:
    """Fields by name."""

    def __init__(self, fields: Iterable[Field]) -> None:
        self.fields = {field.name: field for field in fields}
        self.types = {name: field.type for name, field in self.fields.items()}

    def told(self, name: str, value: float | str | bool) -> tuple[str, str]:
        """What a field means, and a value of it, in words."""
        field = self.fields[name]
        label = field.label or field.meaning
        if isinstance(value, bool):
            return label, "yes" if value else "no"
        return label, value if isinstance(value, str) else value_in_words(field.unit, value)


def catalogue() -> Catalogue:
    """Everything that is known of an order when it is judged."""
    velocities = map(_velocity_field, VELOCITIES.values())
    return Catalogue([*_order_fields(), *map(_feature_field, ORDER_FEATURES), *_model_fields(), *velocities])


def _order_fields() -> list[Field]:
    found = []
    for info in msgspec.structs.fields(Order):
        if info.name not in _NOT_FOR_RULES:
            type_ = Type.NUMBER if info.name in _UNITS else Type.TEXT
            meaning = _MEANINGS.get(info.name, info.name.replace("_", " "))
            found.append(Field(info.name, type_, meaning, _UNITS.get(info.name, ""), "order"))
    return found


def _feature_field(feature: Feature) -> Field:
    type_ = Type.FLAG if feature.unit == "0 or 1" else Type.NUMBER
    source = "session" if feature.name.startswith("session_") else "user"
    meaning = feature.meaning.partition(", 0 if")[0] if feature.name in _UNKNOWN_UNLESS else feature.meaning
    return Field(feature.name, type_, meaning, feature.unit, source, window=feature.window, owner=RISK_TEAM)


def _velocity_field(velocity: Velocity) -> Field:
    return Field(
        velocity.name,
        Type.NUMBER,
        velocity.meaning,
        velocity.unit,
        "velocity",
        velocity.label,
        f"{velocity.window}{velocity.delay}",
        velocity.owner,
    )


def _model_fields() -> list[Field]:
    return [
        Field(MODEL_PROBABILITY, Type.NUMBER, "probability of fraud by the model", "", "model", owner=RISK_TEAM),
        Field(MODEL_SCORE, Type.NUMBER, "the model's score", "0 to 100", "model", owner=RISK_TEAM),
    ]


CATALOGUE: Final = catalogue()
_FEATURE_COLUMNS: Final = {feature.name: index for index, feature in enumerate(ORDER_FEATURES)}


@dataclass(frozen=True, eq=False)
class OrderColumns:
    """What rules read of orders [m]; each column is made when it is first read.

    ``features`` are [m, G] in the order of ``ORDER_FEATURES``; ``probability`` and ``score`` are the model's, NaN where
    it gave none. ``joined`` is what the orders were told of their entities; None if nobody asked.
    """

    orders: list[Order]
    features: NDArray[np.float32]
    probability: NDArray[np.floating[Any]]
    score: NDArray[np.float64]
    joined: Joined | None = None

    def read(self, name: str) -> Column:
        """The column of a field of ``CATALOGUE``."""
        if name == MODEL_SCORE:
            return Numbers.of(self.score)
        if name == MODEL_PROBABILITY:
            return Numbers.of(_decimal(self.probability))
        if name in _FEATURE_COLUMNS:
            return self._feature(name)
        if name in VELOCITIES:
            return Numbers.of(self.velocity(name))
        return self._field(name)

    def velocity(self, name: str) -> NDArray[np.float64]:
        """A velocity of the orders [m]; NaN where it is missing."""
        return np.full(len(self.orders), np.nan) if self.joined is None else self.joined.column(name)

    @cached_property
    def _rows(self) -> NDArray[np.float64]:
        """The features as rows [G, m]."""
        return _decimal(self.features.T)

    @cached_property
    def _finite(self) -> NDArray[np.bool_]:
        """Of each feature [G], whether all its values are numbers."""
        return np.asarray(np.isfinite(self._rows).all(axis=1))

    def _feature(self, name: str) -> Column:
        place = _FEATURE_COLUMNS[name]
        values = self._rows[place]
        if CATALOGUE.types[name] is Type.FLAG:
            return Flags(values > 0)
        if name in _UNKNOWN_UNLESS:
            known = self._rows[_FEATURE_COLUMNS[_UNKNOWN_UNLESS[name]]] > 0
            return Numbers.of(np.where(known, values, np.nan))
        return Numbers(values) if self._finite[place] else Numbers.of(values)

    def _field(self, name: str) -> Column:
        read: Callable[[Order], Any] = attrgetter(name)
        if CATALOGUE.types[name] is Type.TEXT:
            return Texts.of(map(read, self.orders))
        values = [read(order) for order in self.orders]
        return Numbers.of(np.array([np.nan if value is None else value for value in values], np.float64))


def _decimal(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The numbers as people mean them: 33.1, not the nearest number of 32 bits."""
    return np.ascontiguousarray(np.round(values.astype(np.float64), 6))
