"""What the adapters of vendors' events share: reading an envelope, and making the fields of a `Click`."""

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from schemas.aliases import canonical_type
from schemas.events import CLICK_CODES, Click

Scalar = str | int | None
"""An identifier as vendors send it; ours are text."""

_NUMBERS: Final = frozenset({"ts", "price", "quantity"})
_Envelope = TypeVar("_Envelope", bound=Struct)


def read(value: object, struct: type[_Envelope], source: str) -> _Envelope:
    """Convert plain values to `struct`, numbers sent as text too; ValueError names `source` and the place."""
    try:
        return msgspec.convert(value, struct, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"{source}: {error}") from error


def click_type(name: str, source: str) -> str:
    """Return our type for a vendor's event name; ValueError where a click has none such."""
    known = canonical_type(name)
    if known not in CLICK_CODES:
        raise ValueError(f"{source}: unknown event name {name!r}; schemas.aliases lists the names understood")
    return known


def click_fields(fields: Mapping[str, object], source: str) -> dict[str, Any]:
    """Drop what is None or empty, check the rest against `Click`, and return it as plain values."""
    present = {name: _plain(name, value) for name, value in fields.items() if value not in (None, "")}
    if not {"user_id", "anonymous_id"} & present.keys():
        raise ValueError(f"{source}: no identifier of the visitor; a user id or an anonymous id is required")
    price = present.get("price")
    if isinstance(price, float) and not isfinite(price):  # JSON has no such number, Python has
        raise ValueError(f"{source}: price {price} is not finite")
    try:
        click = msgspec.convert(present, Click)
    except msgspec.ValidationError as error:
        raise ValueError(f"{source}, as a click: {error}") from error
    plain: dict[str, Any] = msgspec.to_builtins(click)
    return plain


def _plain(name: str, value: object) -> object:
    return value if name in _NUMBERS else str(value)
