"""One transactional producer for each input partition: outputs and changelog commit together or not at all.

Input offsets are in the changelog, in the partition's own row: the transaction needs no others.

The transactional id belongs to the partition, not to the worker: whoever takes the partition over fences whoever
wrote before (KIP-98). So a worker that slept through its session can write nothing that a consumer of committed records
sees, whatever its group membership says.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import zip_longest

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, LeaderNotAvailableError, NoError, for_code
from aiokafka.protocol.produce import ProduceRequest

from app.kafka.coordinator import Epoch, TransactionCoordinator, pauses
from app.kafka.fetched import Partition
from app.kafka.options import TransportOptions
from app.kafka.producer import DeliveryFailed, Send, build_batches
from app.kafka.record_batch import ColumnBatch

_ALL_REPLICAS = -1
_SEQUENCES = 2**31  # a sequence number wraps to 0 after the largest int32


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
        self._id = transactional_id
        self._client = AIOKafkaClient(bootstrap_servers=broker, client_id=transactional_id)
        self._coordinator = TransactionCoordinator(self._client, transactional_id, options.delivery_timeout)
        self._epoch: Epoch
        self._sequences: defaultdict[Partition, int] = defaultdict(int)

    async def start(self) -> None:
        """Fence earlier producers of the id; returns once their last transaction is committed or aborted."""
        await self._client.bootstrap()
        self._epoch = await self._coordinator.next_epoch(self._options.transaction_timeout)

    async def commit(self, sends: Sequence[Send]) -> list[int]:
        """Write records in one transaction.

        Args:
            sends: of different partitions; at least one.

        Returns:
            For each of ``sends`` the offset after its last record.

        Raises:
            RecordTooLarge: before anything is sent.
            DeliveryFailed: the broker did not take a record; nothing is committed.
            KafkaError: it is not known to be committed.
        """
        batches = [build_batches(self._options, one, transactional=True) for one in sends]
        partitions = [one.tp for one in sends]
        await self._coordinator.add_partitions(self._epoch, partitions)
        written = await self._write(partitions, batches)
        await self._coordinator.commit(self._epoch)
        return [written[tp] for tp in partitions]

    async def stop(self) -> None:
        """Close its connections; an open transaction is left to the next producer of the id, or to its timeout."""
        await self._client.close()

    async def _write(
        self, partitions: Sequence[Partition], batches: Sequence[Sequence[ColumnBatch]]
    ) -> dict[Partition, int]:
        """Write the batches of each partition in order; tells the offsets after the last of each."""
        ends: dict[Partition, int] = {}
        for turn in zip_longest(*batches):
            pending = {tp: batch for tp, batch in zip(partitions, turn, strict=True) if batch is not None}
            for tp, batch in pending.items():
                batch._set_producer_state(self._epoch.producer_id, self._epoch.number, self._sequences[tp])
                self._sequences[tp] = (self._sequences[tp] + batch.record_count()) % _SEQUENCES
            ends |= await self._written(pending)
        return ends

    async def _written(self, batches: Mapping[Partition, ColumnBatch]) -> dict[Partition, int]:
        """Write a batch to each partition. Sequence numbers make the repetition of one that arrived harmless."""
        ends: dict[Partition, int] = {}
        deadline = asyncio.get_running_loop().time() + self._options.delivery_timeout
        for pause in pauses():
            pending = {tp: batch for tp, batch in batches.items() if tp not in ends}
            answers = await asyncio.gather(*(self._send(*part) for part in (await self._by_leader(pending)).items()))
            errors: dict[Partition, KafkaError] = {}
            for tp, found in [pair for answer in answers for pair in answer.items()]:
                if isinstance(found, KafkaError):
                    errors[tp] = found
                else:
                    ends[tp] = found + batches[tp].record_count()
            if len(ends) == len(batches):
                return ends
            is_over = asyncio.get_running_loop().time() >= deadline
            for (topic, partition), error in errors.items():
                if is_over or not error.retriable:
                    raise DeliveryFailed(topic, partition, error) from error
            self._client.force_metadata_update()
            await asyncio.sleep(pause)
        raise AssertionError("pauses never end")

    async def _by_leader(self, batches: Mapping[Partition, ColumnBatch]) -> dict[int, dict[Partition, ColumnBatch]]:
        """The batches by the node that leads their partition; -1 where there is none now."""
        found: defaultdict[int, dict[Partition, ColumnBatch]] = defaultdict(dict)
        for (topic, partition), batch in batches.items():
            await self._client._wait_on_metadata(topic)
            leader = self._client.cluster.leader_for_partition(TopicPartition(topic, partition))
            found[-1 if leader is None else leader][topic, partition] = batch
        return found

    async def _send(self, node: int, batches: Mapping[Partition, ColumnBatch]) -> dict[Partition, int | KafkaError]:
        """One request: the base offset of each batch, or what went wrong."""
        if node < 0:
            return {tp: LeaderNotAvailableError() for tp in batches}
        topics: defaultdict[str, list[tuple[int, bytes]]] = defaultdict(list)
        for (topic, partition), batch in batches.items():
            topics[topic].append((partition, bytes(batch._build())))
        timeout_ms = self._client._request_timeout_ms
        try:
            answer = await self._client.send(
                node, ProduceRequest(self._id, _ALL_REPLICAS, timeout_ms, list(topics.items()))
            )
        except KafkaError as failure:
            return dict.fromkeys(batches, failure)
        found: dict[Partition, int | KafkaError] = {}
        for topic, partitions in answer.topics:
            for partition, code, offset, *_ in partitions:
                error = for_code(code)
                found[topic, partition] = int(offset) if error is NoError else error()
        return found


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
