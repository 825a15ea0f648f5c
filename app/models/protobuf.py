"""Protocol buffers taken apart and put together field by field, without their schema (protobuf.dev, "Encoding")."""

from collections.abc import Iterator
from typing import Final

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_FIXED_SIZES: Final = {_FIXED_64: 8, _FIXED_32: 4}


class NotProtobuf(ValueError):
    """Bytes that are no message."""


def fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Each field's number, its content (empty if it is no text or message), and all its bytes.

    Raises:
        NotProtobuf: ``message`` is none.
    """
    at = 0
    while at < len(message):
        start = at
        tag, at = _read_number(message, at)
        content = b""
        if tag & 7 == _VARINT:
            _, at = _read_number(message, at)
        elif tag & 7 == _BYTES:
            size, at = _read_number(message, at)
            content = message[at : at + size]
            at += size
        elif tag & 7 in _FIXED_SIZES:
            at += _FIXED_SIZES[tag & 7]
        else:
            raise NotProtobuf(f"byte {start} begins no field of a protocol buffer")
        if at > len(message):
            raise NotProtobuf(f"the field at byte {start} does not end")
        yield tag >> 3, content, message[start:at]


def _read_number(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
    raise NotProtobuf("a number does not end")


def field(number: int, content: bytes) -> bytes:
    """A field that holds a text or a message."""
    return _write_number(number << 3 | _BYTES) + _write_number(len(content)) + content


def whole(number: int, value: int) -> bytes:
    """A field that holds a whole number, 0 or more."""
    return _write_number(number << 3 | _VARINT) + _write_number(value)


def _write_number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
