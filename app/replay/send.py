"""Recorded events to Kafka, as whole record batches of an idempotent producer (KIP-98)."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from app.cli.errors import UsageProblem
from app.kafka.partition import partitions_of
from app.replay.pacing import Clock, MonotonicClock, Pace, paced
from app.replay.recorded import RecordedBatch
from schemas.topics import INPUTS

BATCH_BYTES = 512 * 1024
MOST_IN_FLIGHT = 50_000
"""Events that may be sent and not acknowledged yet."""

Progress = Callable[[int], None]
"""Called with the number of events acknowledged so far."""


class NotSent(RuntimeError):
    """Kafka did not take some events; the message says which topic, and why."""


async def send(
    recording: Iterable[RecordedBatch],
    broker: str,
    *,
    pace: Pace | None = None,
    clock: Clock | None = None,
    on_progress: Progress = lambda _: None,
) -> int:
    """Produce all events to the input topics at `broker` (HOST:PORT) and return how many were acknowledged.

    An event goes to the partition of its key (murmur2, as Kafka's own clients do), in order, with its event time
    as the record's timestamp. Without a pace it goes as fast as the broker takes it.
    Raises UsageProblem if no broker answers or its topics are not there, NotSent if it refuses events.
    """
    async with _Producer(broker) as producer:
        outbox = _Outbox(producer, await _partition_counts(producer), on_progress)
        async for batch in paced(recording, pace, clock or MonotonicClock()):
            await outbox.put(batch)
        return await outbox.drain()


class _Producer(AIOKafkaProducer):  # type: ignore[misc]
    """Made, started and stopped as one context."""

    def __init__(self, broker: str) -> None:
        super().__init__(bootstrap_servers=broker, enable_idempotence=True, max_batch_size=BATCH_BYTES, linger_ms=0)
        self._broker = broker

    async def __aenter__(self) -> "_Producer":
        try:
            await self.start()
        except (KafkaError, OSError, ValueError) as error:
            await self.stop()
            raise UsageProblem(
                f"no Kafka answers at {self._broker}: start one with `sluice kafka start`, "
                "or name yours with --broker HOST:PORT"
            ) from error
        return self


async def _partition_counts(producer: AIOKafkaProducer) -> dict[str, int]:
    """How many partitions every input topic has; they must agree, since their keys must meet.

    It asks for all topics: to name a missing one would make it on brokers that create topics by themselves.
    """
    cluster = await producer.client.fetch_all_metadata()
    counts = {topic.name: len(cluster.partitions_for_topic(topic.name) or ()) for topic in INPUTS}
    if missing := [name for name, count in counts.items() if not count]:
        raise UsageProblem(f"Kafka has no topic {', '.join(missing)}: run `sluice topics create`")
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise UsageProblem(f"the input topics need the same number of partitions; found {found}")
    return counts


class _Outbox:
    """Events on their way: at most MOST_IN_FLIGHT, and one batch more."""

    def __init__(self, producer: AIOKafkaProducer, partitions: Mapping[str, int], on_progress: Progress) -> None:
        self._producer = producer
        self._partitions = partitions
        self._on_progress = on_progress
        self._deliveries: deque[tuple[asyncio.Future[object], str, int]] = deque()
        self._in_flight = 0
        self._acknowledged = 0

    async def put(self, batch: RecordedBatch) -> None:
        """Hand the events over to be sent; waits while too many are in flight."""
        sending = [
            self._send(batch, topic, partition, rows)
            for topic, partition, rows in _by_partition(batch, self._partitions)
        ]
        await asyncio.gather(*sending)
        while self._in_flight > MOST_IN_FLIGHT:
            await self._oldest()

    async def drain(self) -> int:
        """Wait until every event is acknowledged and return how many there were."""
        while self._deliveries:
            await self._oldest()
        return self._acknowledged

    async def _send(self, batch: RecordedBatch, topic: str, partition: int, rows: Sequence[int]) -> None:
        records = self._producer.create_batch()
        for row in rows:
            # Kafka refuses times before 1970; the payload keeps what it says.
            record = {
                "timestamp": max(batch.timestamps[row], 0),
                "key": batch.keys[row] or None,
                "value": batch.values[row],
            }
            if records.append(**record) is None:
                await self._hand_over(records, topic, partition)
                records = self._producer.create_batch()
                records.append(**record)
        await self._hand_over(records, topic, partition)

    async def _hand_over(self, records: BatchBuilder, topic: str, partition: int) -> None:
        records.close()
        delivery = await self._producer.send_batch(records, topic, partition=partition)
        self._deliveries.append((delivery, topic, records.record_count()))
        self._in_flight += records.record_count()

    async def _oldest(self) -> None:
        delivery, topic, events = self._deliveries.popleft()
        try:
            await delivery
        except KafkaError as error:
            raise NotSent(f"{topic}: Kafka did not take {events} events: {error!r}") from error
        self._in_flight -= events
        self._acknowledged += events
        self._on_progress(self._acknowledged)


def _by_partition(batch: RecordedBatch, partitions: Mapping[str, int]) -> list[tuple[str, int, list[int]]]:
    """The rows of each topic and partition, in order."""
    groups: list[tuple[str, int, list[int]]] = []
    topics = np.array(batch.topics)
    for topic in dict.fromkeys(batch.topics):
        rows = np.flatnonzero(topics == topic)
        partition = partitions_of([batch.keys[row] for row in rows.tolist()], partitions[topic])
        groups += [(topic, int(one), rows[partition == one].tolist()) for one in np.unique(partition)]
    return groups
