"""Records on their way out, as columns, and the CloudEvents headers they carry."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from app.kafka.fetched import Headers
from schemas.topics import BY_NAME

_SOURCE: Final = b"/sluice"
_MILLIS: Final = [f".{ms:03d}Z".encode() for ms in range(1000)]


@dataclass(frozen=True, slots=True, eq=False)
class Outgoing:
    """Records [n] for one partition of an output topic, in order. Times are event times in ms.

    ``headers`` is None where records go without.
    """

    topic: str
    partition: int
    times: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[Headers] | None


def cloud_events(
    topic: str, ids: Sequence[str], times: Sequence[int], traces: Sequence[bytes | None] | None
) -> list[Headers]:
    """CloudEvents 1.0 headers in Kafka's binary mode (protocol binding §3.2), and the trace context passed through."""
    kind = (BY_NAME[topic].ce_type or topic).encode()
    constant = (
        ("ce_specversion", b"1.0"),
        ("ce_type", kind),
        ("ce_source", _SOURCE),
        ("content-type", b"application/json"),
    )
    headers: list[Headers] = [
        [*constant, ("ce_id", id_.encode()), ("ce_time", _second(ts // 1000) + _MILLIS[ts % 1000])]
        for id_, ts in zip(ids, times, strict=True)
    ]
    if traces is None:
        return headers
    return [[*own, ("traceparent", trace)] if trace else own for own, trace in zip(headers, traces, strict=True)]


@lru_cache(maxsize=4096)
def _second(seconds: int) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()


def text_bytes(text: str) -> bytes:
    """A key as bytes; undecodable bytes of a label's key come back as they were."""
    return text.encode("utf-8", "surrogateescape")
