"""One transactional producer for each input partition: outputs, changelog and input offsets commit together or not.

The transactional id belongs to the partition, not to the worker: whoever takes the partition over fences whoever
wrote before (KIP-98). So a worker that slept through its session can write nothing that a consumer of committed records
sees, whatever its group membership says.
"""

import asyncio
from collections.abc import Awaitable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from app.kafka.fetched import Partition
from app.kafka.options import TransportOptions
from app.kafka.producer import DeliveryFailed, build_batches
from app.kafka.record_batch import ColumnBatch

_RETRY_BACKOFF_MS = 20
_STOP_S = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Send:
    """Records [n] for one partition of a topic; see ``Producer.send_records``."""

    topic: str
    partition: int
    timestamp: int
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[bytes] | None = None


class TransactionalProducer:
    """Commits the work of one input partition, a transaction at a time.

    After any error it is of no more use: what it was about to commit may be committed or not, and only the log,
    read after another producer of the same id has started, says which.

    Args:
        broker: ``host:port``, several with commas.
        transactional_id: of the input partition.
        options: of the transport.
    """

    def __init__(self, broker: str, transactional_id: str, options: TransportOptions) -> None:
        self._options = options
        self._producer = AIOKafkaProducer(
            bootstrap_servers=broker,
            transactional_id=transactional_id,
            transaction_timeout_ms=int(options.transaction_timeout * 1000),
            acks="all",
            retry_backoff_ms=_RETRY_BACKOFF_MS,
        )

    async def start(self) -> None:
        """Fence earlier producers of the id; returns once their last transaction is committed or aborted."""
        await self._producer.start()

    async def commit(self, sends: Sequence[Send], offsets: Mapping[Partition, int], group: str) -> list[int]:
        """Write records and input offsets in one transaction.

        Args:
            sends: in order; those of one partition stay in it.
            offsets: next offsets of the inputs.
            group: consumer group that the offsets are of.

        Returns:
            For each of ``sends`` the offset after its last record.

        Raises:
            RecordTooLarge: before anything is sent.
            DeliveryFailed: the broker did not take a record; nothing is committed.
            KafkaError: it is not known to be committed.
        """
        batches = [
            build_batches(self._options, one.topic, one.timestamp, one.keys, one.values, one.headers, True)
            for one in sends
        ]
        await self._producer.begin_transaction()
        deliveries = [
            _delivered(await self._producer.send_batch(batch, one.topic, partition=one.partition), one)
            for one, own in zip(sends, batches, strict=True)
            for batch in own
        ]
        wanted = {TopicPartition(*tp): offset for tp, offset in offsets.items()}
        # aiokafka commits a transaction from which the broker refused records, so it must not be asked before.
        _, *written = await asyncio.gather(self._producer.send_offsets_to_transaction(wanted, group), *deliveries)
        await self._producer.commit_transaction()
        return _ends(batches, written)

    async def stop(self) -> None:
        """Close its connections; an open transaction is left to the next producer of the id, or to its timeout."""
        with suppress(TimeoutError, KafkaError, asyncio.InvalidStateError):
            async with asyncio.timeout(_STOP_S):
                await self._producer.stop()
                return
        if (sending := self._producer._sender.sender_task) is not None:
            sending.cancel()
        await self._producer.client.close()


async def _delivered(delivery: Awaitable[RecordMetadata], send: Send) -> RecordMetadata:
    try:
        return await delivery
    except Exception as error:
        raise DeliveryFailed(send.topic, send.partition, error) from error


def _ends(batches: Sequence[Sequence[ColumnBatch]], written: Sequence[RecordMetadata]) -> list[int]:
    """The offset after the last record of each list of batches."""
    ends, place = [], 0
    for own in batches:
        place += len(own)
        ends.append(written[place - 1].offset + own[-1].record_count())
    return ends


class TransactionalProducers:
    """Makes the producers of a group's partitions."""

    def __init__(self, broker: str, group: str, options: TransportOptions) -> None:
        self._broker = broker
        self._group = group
        self._options = options

    async def start(self, partitions: Collection[int]) -> dict[int, TransactionalProducer]:
        """Producers of ``partitions``; when they are there nobody else can write for these any more.

        Raises:
            KafkaError: one could not start; none is left running.
        """
        made = {
            partition: TransactionalProducer(self._broker, f"{self._group}-{partition}", self._options)
            for partition in partitions
        }
        try:
            await asyncio.gather(*(each.start() for each in made.values()))
        except BaseException:
            await asyncio.gather(*(each.stop() for each in made.values()), return_exceptions=True)
            raise
        return made
