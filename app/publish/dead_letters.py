"""Dead letters: the original bytes, with Kafka Connect's headers (KIP-298) to say what was wrong.

They are CloudEvents too: named after the place of the input, and of its record's time, since bytes have no other.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from app.events.decode import Rejected
from app.kafka.fetched import Headers
from app.kafka.record_batch import encode_headers
from app.publish.outgoing import Outgoing, cloud_event
from schemas.topics import DEAD_LETTER

_MAX_MESSAGE = 500


def dead_letters(rejected: Sequence[Rejected], with_headers: bool) -> Iterator[Outgoing]:
    """The records of ``rejected`` by partition, in order; they go to the partition they came from.

    Args:
        rejected: what cannot be processed.
        with_headers: whether they carry CloudEvents headers beside their own.
    """
    by_partition: defaultdict[int, list[Rejected]] = defaultdict(list)
    for record in rejected:
        by_partition[record.partition].append(record)
    for partition, records in by_partition.items():
        yield Outgoing(
            topic=DEAD_LETTER,
            partition=partition,
            keys=[record.key for record in records],
            values=[record.value for record in records],
            headers=[encode_headers(_headers(record, with_headers)) for record in records],
        )


def _headers(record: Rejected, with_headers: bool) -> Headers:
    reason: Headers = [
        ("__connect.errors.topic", record.topic.encode()),
        ("__connect.errors.partition", str(record.partition).encode()),
        ("__connect.errors.offset", str(record.offset).encode()),
        ("__connect.errors.stage", record.stage.encode()),
        ("__connect.errors.exception.class.name", record.error.encode()),
        ("__connect.errors.exception.message", record.message[:_MAX_MESSAGE].encode("utf-8", "replace")),
        ("x-failure-type", record.failure.value.encode()),
    ]
    if not with_headers:
        return reason
    place = f"{record.topic}/{record.partition}/{record.offset}"
    return cloud_event(DEAD_LETTER, place, record.timestamp, b"application/octet-stream", record.trace) + reason
