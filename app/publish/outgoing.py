"""Records on their way out, as columns, and the CloudEvents headers they carry."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from app.kafka.fetched import Headers
from app.kafka.record_batch import encode_header, length
from schemas.topics import BY_NAME

_SOURCE: Final = b"/sluice"
_LAST_MS: Final = 253_402_300_799_999  # of the year 9999
_MILLIS: Final = [f".{ms:03d}Z".encode() for ms in range(1000)]
_MILLIS_TEXT: Final = [ms.decode() for ms in _MILLIS]
_TIME: Final = encode_header("ce_time", b"2026-01-01T00:00:00.000Z")[: -len(b"2026-01-01T00:00:00.000Z")]
_ID: Final = encode_header("ce_id", b"")[:-1]  # without the length of its value


@dataclass(frozen=True, slots=True, eq=False)
class Outgoing:
    """Records [n] for one partition of an output topic, in order.

    ``headers`` are encoded, see ``app.kafka.record_batch``; None where records go without.
    """

    topic: str
    partition: int
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[bytes] | None


def cloud_events(
    topic: str, ids: Sequence[str], times: Sequence[int], traces: Sequence[bytes | None] | None
) -> list[bytes]:
    """CloudEvents 1.0 headers in Kafka's binary mode (protocol binding §3.2), and the trace context passed through.

    Args:
        topic: of the records.
        ids: of the events.
        times: of the events, ms since the epoch.
        traces: W3C ``traceparent`` of the inputs; None where no input has one.
    """
    if traces is None and "".join(ids).isascii():
        return _untraced(topic, ids, times)
    plain, traced = _constant(topic, 6), _constant(topic, 7)
    encoded = [id_.encode() for id_ in ids]
    traces = traces or [None] * len(ids)
    return [
        b"".join(
            (
                traced if trace else plain,
                length(len(id_)),
                id_,
                _TIME,
                _second(ts // 1000),
                _MILLIS[ts % 1000],
                encode_header("traceparent", trace) if trace else b"",
            )
        )
        for id_, ts, trace in zip(encoded, times, traces, strict=True)
    ]


def _untraced(topic: str, ids: Sequence[str], times: Sequence[int]) -> list[bytes]:
    """Headers of ASCII ids, where there is nothing to pass through: as texts of the same bytes, which join faster."""
    plain = _constant(topic, 6).decode("latin-1")
    lengths = {number: length(number).decode("latin-1") for number in set(map(len, ids))}
    second = {number: (_TIME + _second(number)).decode("latin-1") for number in {ts // 1000 for ts in times}}
    return [
        f"{plain}{lengths[len(id_)]}{id_}{second[ts // 1000]}{_MILLIS_TEXT[ts % 1000]}".encode("latin-1")
        for id_, ts in zip(ids, times, strict=True)
    ]


def cloud_event(topic: str, id_: str, ts: int, content_type: bytes, trace: bytes | None) -> Headers:
    """The same headers for one record, not encoded; a time that RFC 3339 cannot say is the nearest that it can."""
    when = min(max(ts, 0), _LAST_MS)
    headers: Headers = [(name, value) for name, value in _constants(topic, content_type).items()]
    headers += [("ce_id", id_.encode()), ("ce_time", _second(when // 1000) + _MILLIS[when % 1000])]
    return headers if trace is None else [*headers, ("traceparent", trace)]


@lru_cache(maxsize=64)
def _constant(topic: str, count: int) -> bytes:
    """The headers that are the same for all records of a topic, up to the id's value."""
    constants = _constants(topic, b"application/json")
    return length(count) + b"".join(encode_header(name, value) for name, value in constants.items()) + _ID


def _constants(topic: str, content_type: bytes) -> dict[str, bytes]:
    return {
        "ce_specversion": b"1.0",
        "ce_type": (BY_NAME[topic].ce_type or topic).encode(),
        "ce_source": _SOURCE,
        "content-type": content_type,
    }


@lru_cache(maxsize=4096)
def _second(seconds: int) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
