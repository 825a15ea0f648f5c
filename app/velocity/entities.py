"""What an order is connected with: user, device, address on the network, card and so on, as 64-bit keys.

A key is a hash of kind and id, so neither rows nor messages carry an IP address or an e-mail. Two of a hundred million
entities share a key with a probability below one in three thousand.
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

from schemas.events import Order

Keys = NDArray[np.uint64]
"""Entity keys; 0 where the order names none."""

_IPV4_NETWORK, _IPV6_NETWORK = 24, 48


def _network(order: Order) -> str | None:
    """The order's /24, of IPv6 the /48: what one customer of a provider gets; None where there is no address."""
    if not order.ip:
        return None
    try:
        return _network_of(ip_address(order.ip))
    except ValueError:
        return None


def _network_of(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(address.packed[: _IPV6_NETWORK // 8].hex())
        address = address.ipv4_mapped
    return str(address.packed[: _IPV4_NETWORK // 8].hex())


def _network_name(order: Order) -> str | None:
    """As people write it: `203.0.113.0/24`."""
    found = _network(order)
    if found is None:
        return None
    packed = bytes.fromhex(found)
    size = 4 if len(packed) == _IPV4_NETWORK // 8 else 16
    return f"{ip_address(packed.ljust(size, bytes(1)))}/{8 * len(packed)}"


_READERS: dict[str, Callable[[Order], str | None]] = {
    "user": lambda order: order.user_id or order.anonymous_id,
    "device": lambda order: order.device_id,
    "ip": lambda order: order.ip,
    "network": _network,
    "card": lambda order: order.card_hash,
    "email": lambda order: order.email_hash,
    "merchant": lambda order: order.merchant_id,
    "address": lambda order: order.shipping_address_hash,
}
ENTITIES: tuple[str, ...] = tuple(_READERS)
"""The kinds of entities. Their order is the layout of columns and of stored rows."""

ENTITY_INDEX = {name: index for index, name in enumerate(ENTITIES)}
USER = ENTITY_INDEX["user"]


def entity_key(kind: str, name: str) -> int:
    """The key of the entity ``name`` of a kind; never 0."""
    return xxh3_64_intdigest(name.encode(), seed=ENTITY_INDEX[kind]) or 1


def entity_name(kind: str, order: Order) -> str | None:
    """The entity of a kind that an order names, as people call it; None where it names none."""
    return _network_name(order) if kind == "network" else _READERS[kind](order) or None


def order_key(order_id: str) -> int:
    """The key that labels find an order by; never 0."""
    return xxh3_64_intdigest(order_id.encode(), seed=len(ENTITIES)) or 1


def event_key(event_id: str) -> int:
    """The key that a repeated event is found by."""
    return xxh3_64_intdigest(event_id.encode())


def entity_keys(users: Sequence[str], orders: Sequence[Order]) -> Keys:
    """The keys of orders [n] of ``users`` [n], by kind [n, kinds]."""
    found = np.zeros((len(orders), len(ENTITIES)), np.uint64)
    for kind, (name, read) in enumerate(_READERS.items()):
        names = users if kind == USER else [read(order) for order in orders]
        found[:, kind] = [entity_key(name, value) if value else 0 for value in names]
    return found
