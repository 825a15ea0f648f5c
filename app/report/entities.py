"""Who and what the stopped orders have in common: users, devices, addresses, cards, merchants."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from schemas.events import Order

Entity = tuple[str, str]
"""A kind and an id."""
TOP_OF_KIND: Final = 5

_FIELDS: Final = {
    "device": "device_id",
    "ip": "ip",
    "card": "card_hash",
    "e-mail": "email_hash",
    "merchant": "merchant_id",
    "address": "shipping_address_hash",
}
_KINDS: Final = ("user", *_FIELDS)


@dataclass(frozen=True, slots=True)
class EntityFigures:
    """How many orders an entity has, how many of them were stopped, and how many turned out to be fraud."""

    kind: str
    id: str
    orders: int
    stopped: int
    frauds: int


def named_by(order: Order) -> tuple[Entity, ...]:
    """The entities that an order names, besides its user."""
    named = ((kind, getattr(order, field)) for kind, field in _FIELDS.items())
    return tuple((kind, id_) for kind, id_ in named if id_)


def top_entities(orders: Iterable[tuple[Iterable[Entity], bool, bool]]) -> Iterator[EntityFigures]:
    """Of each kind those that most orders were stopped of.

    Args:
        orders: of each the entities, whether it was stopped, and whether it turned out to be fraud.
    """
    seen, stopped, frauds = Counter[Entity](), Counter[Entity](), Counter[Entity]()
    for entities, is_stopped, is_fraud in orders:
        for entity in entities:
            seen[entity] += 1
            stopped[entity] += is_stopped
            frauds[entity] += is_fraud
    left = dict.fromkeys(_KINDS, TOP_OF_KIND)
    most = [entity for entity, count in stopped.most_common() if count]
    for entity in sorted(most, key=lambda entity: _KINDS.index(entity[0])):
        if left[entity[0]]:
            left[entity[0]] -= 1
            yield EntityFigures(*entity, seen[entity], stopped[entity], frauds[entity])
