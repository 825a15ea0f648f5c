"""Output records, written as whole record batches."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from typing import Any

from aiokafka.errors import DuplicateSequenceNumber
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata
from faust.transport.drivers import aiokafka as driver

from app.kafka.fetched import Headers
from app.kafka.options import TransportOptions


class RecordTooLarge(ValueError):
    """A record that the broker would reject; nothing of its call was sent."""

    def __init__(self, topic: str, key: bytes | None, size: int, limit: int) -> None:
        super().__init__(
            f"{topic}: the record with key {key!r} has {size} bytes, more than {limit}. "
            "Shorten it, or raise max_record_bytes here and max.message.bytes of the topic."
        )
        self.topic = topic
        self.key = key
        self.size = size
        self.limit = limit


class DeliveryFailed(RuntimeError):
    """The broker did not take a record batch: what it was made from must not be acknowledged."""

    def __init__(self, topic: str, partition: int, cause: BaseException) -> None:
        super().__init__(f"{topic}/{partition}: records were not delivered: {cause!r}")
        self.topic = topic
        self.partition = partition


class ColumnBatch(BatchBuilder):  # type: ignore[misc]
    """A record batch filled from columns."""

    def fill(
        self,
        start: int,
        timestamps: Sequence[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        headers: Sequence[Headers] | None,
    ) -> int:
        """Append records from `start` on until the batch is full, and close it.

        Returns:
            The index of the first record that is not in it. The first record is always taken.
        """
        append, end, none = self._builder.append, len(values), Headers()
        for index in range(start, end):
            record_headers = headers[index] if headers is not None else none
            if append(index - start, timestamps[index], keys[index], values[index], record_headers) is None:
                end = index
                break
        self._relative_offset = end - start
        self.close()
        return end


def build_batches(
    options: TransportOptions,
    topic: str,
    timestamps: Sequence[int],
    keys: Sequence[bytes | None],
    values: Sequence[bytes | None],
    headers: Sequence[Headers] | None,
) -> list[ColumnBatch]:
    """Split records into record batches of at most `producer_batch_bytes`, in order.

    Raises:
        RecordTooLarge: for a record over `max_record_bytes`.
    """
    batches: list[ColumnBatch] = []
    start = 0
    while start < len(values):
        batch = ColumnBatch(options.producer_batch_bytes, 0)
        end = batch.fill(start, timestamps, keys, values, headers)
        # A record that does not fit into a batch begins the next one, so only first records can be too large.
        if end == start + 1 and (size := batch.size()) > options.max_record_bytes:
            raise RecordTooLarge(topic, keys[start], size, options.max_record_bytes)
        batches.append(batch)
        start = end
    return batches


class Producer(driver.Producer):  # type: ignore[misc]
    """An idempotent producer (KIP-98, acks=all) of record batches."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._turns: defaultdict[tuple[str, int], asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def _options(self) -> TransportOptions:
        options: TransportOptions = self.app.transport_options
        return options

    def _settings_extra(self) -> dict[str, Any]:
        return {"acks": "all", "enable_idempotence": True}

    async def flush(self) -> None:
        """Wait until everything sent has been acknowledged or has failed."""
        if self._producer is not None:
            await self._producer.flush()

    async def send_records(
        self,
        topic: str,
        partition: int,
        timestamps: Sequence[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        headers: Sequence[Headers] | None = None,
    ) -> Awaitable[int]:
        """Hand records over to be sent, in order, after those of earlier calls for the same partition.

        Waits while earlier record batches of the partition are still to be sent.

        Args:
            topic: name of an existing topic.
            partition: the partition all of them go to.
            timestamps: milliseconds since the epoch, one for each record.
            keys: None is allowed.
            values: None is a tombstone.
            headers: of each record, `(name, value)` pairs; records may share one list.

        Returns:
            An awaitable of the offset after the last record, once all in-sync replicas have acknowledged every record.
            It raises `DeliveryFailed` when one was refused or got no answer within `delivery_timeout`.

        Raises:
            RecordTooLarge: before anything is sent.
            ValueError: if there are no records.
        """
        batches = build_batches(self._options, topic, timestamps, keys, values, headers)
        if not batches:
            raise ValueError(f"{topic}/{partition}: there are no records to send")
        producer = self._ensure_producer()
        async with self._turns[topic, partition]:
            sent = [await producer.send_batch(batch, topic, partition=partition) for batch in batches]
        last = batches[-1].record_count()
        return asyncio.create_task(self._delivered(sent, last, topic, partition))

    async def _delivered(self, sent: Sequence[Awaitable[RecordMetadata]], last: int, topic: str, partition: int) -> int:
        try:
            async with asyncio.timeout(self._options.delivery_timeout):
                base_offset: int = (await asyncio.gather(*sent))[-1].offset
        except Exception as error:
            raise DeliveryFailed(topic, partition, error) from error
        if base_offset < 0:
            # A repeated request whose first answer was lost, so long ago that the broker forgot the offset.
            raise DeliveryFailed(topic, partition, DuplicateSequenceNumber())
        return base_offset + last
