"""The clients of aiokafka that the worker's classes use, on the simulated wire.

A broker's address is the name of the process that asks.
"""

from collections.abc import Awaitable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from unittest import mock

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from app.kafka.fetched import Fetched, Partition
from app.kafka.fetcher import Active
from app.kafka.options import TransportOptions
from app.kafka.producer import DeliveryFailed, Send, build_batches
from tests.simulation.broker import Kafka, Read
from tests.simulation.protocol import answered, described, entries_of
from tests.simulation.wire import Client, Wire

OPTIONS = TransportOptions()
CHANGELOG_PIECE = 40


class Clients:
    """Makes the clients of the processes that are alive, by their names."""

    def __init__(self, kafka: Kafka, wire: Wire) -> None:
        self.kafka = kafka
        self.wire = wire
        self.by_name: dict[str, Client] = {}

    def connections(self, *, bootstrap_servers: str, **_: object) -> "Connections":
        """In the place of ``AIOKafkaClient``."""
        return Connections(self, self.by_name[bootstrap_servers])

    def consumer(self, *, bootstrap_servers: str, **_: object) -> "Consumer":
        """In the place of ``AIOKafkaConsumer``."""
        return Consumer(self, self.by_name[bootstrap_servers])

    def column_consumer(self, options: TransportOptions, *, bootstrap_servers: str, **_: object) -> "Consumer":
        """In the place of ``ColumnConsumer``."""
        return self.consumer(bootstrap_servers=bootstrap_servers)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While this lasts the worker's classes make these clients."""
        with ExitStack() as stack:
            for where, what in {
                "app.kafka.transactions.AIOKafkaClient": self.connections,
                "app.state.recovery.AIOKafkaConsumer": self.consumer,
                "app.state.recovery.ColumnConsumer": self.column_consumer,
                "app.state.recovery.give_back_memory": lambda: None,
            }.items():
                stack.enter_context(mock.patch(where, what))
            yield


class Cluster:
    """Where partitions lie: on two nodes."""

    def leader_for_partition(self, tp: TopicPartition) -> int:
        return len(tp.topic) % 2


class Connections:
    """In the place of ``AIOKafkaClient``: a transactional producer's. Each of its connections keeps its order."""

    cluster = Cluster()
    _request_timeout_ms = 40_000

    def __init__(self, clients: Clients, client: Client) -> None:
        self._kafka = clients.kafka
        self._wire = clients.wire
        self._client = client

    async def bootstrap(self) -> None:
        """Connect."""

    async def close(self) -> None:
        """Disconnect; requests on their way stay so."""

    async def coordinator_lookup(self, kind: object, key: str) -> int:
        return 0

    async def _wait_on_metadata(self, topic: str) -> None:
        """It is known."""

    def force_metadata_update(self) -> None:
        """Leaders stay where they are."""

    async def send(self, node: int, request: object, *, group: object = None) -> SimpleNamespace:
        def answer() -> SimpleNamespace:
            return answered(self._kafka, request)

        lane = (id(self), node, group)
        response: SimpleNamespace = await self._wire.ask(self._client, described(request), answer, lane)
        return response


class Sender:
    """In the place of ``app.kafka.producer.Producer``, which runs as a service of Faust's.

    Idempotent as that one: once a record batch is lost, none behind it in its partition arrives.
    """

    def __init__(self, kafka: Kafka, wire: Wire, client: Client) -> None:
        self._kafka = kafka
        self._wire = wire
        self._client = client

    async def send_records(self, send: Send) -> Awaitable[int]:
        topic, partition = tp = send.tp
        batches = build_batches(OPTIONS, send)
        entries = [entry for batch in batches for entry in entries_of(bytes(batch._build()))]

        def write() -> int:
            return self._kafka.write(tp, entries) + len(entries)

        def failed(error: KafkaError) -> Exception:
            return DeliveryFailed(topic, partition, error)

        return self._wire.ask(self._client, f"{len(entries)} to {topic}/{partition}", write, tp, failed, breaks=True)


class Consumer:
    """What recovery reads the changelog with: ``AIOKafkaConsumer`` and ``ColumnConsumer`` in one."""

    def __init__(self, clients: Clients, client: Client) -> None:
        self._kafka = clients.kafka
        self._wire = clients.wire
        self._client = client
        self._positions: dict[TopicPartition, int] = {}

    @property
    def columns(self) -> "Consumer":
        """The fetcher."""
        return self

    async def start(self) -> None:
        """Connect."""

    async def stop(self) -> None:
        """Disconnect."""

    async def beginning_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, 0)

    async def end_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        def ends() -> dict[TopicPartition, int]:
            return {tp: len(self._kafka.logs[tp.topic, tp.partition]) for tp in tps}

        found: dict[TopicPartition, int] = await self._wire.ask(self._client, "read ends of the changelog", ends)
        return found

    def assign(self, tps: Collection[TopicPartition]) -> None:
        """Nothing to do before ``seek``."""

    def seek(self, tp: TopicPartition, position: int) -> None:
        self._positions[tp] = position

    async def fetched(self, active: Active, *_: object, timeout: float) -> list[Fetched]:
        def read() -> list[Fetched]:
            tp = TopicPartition(*next(iter(active.partitions)))
            found = self._kafka.read((tp.topic, tp.partition), self._positions[tp], CHANGELOG_PIECE)
            if found.position == self._positions[tp]:
                return []
            start, self._positions[tp] = self._positions[tp], found.position
            return [fetched((tp.topic, tp.partition), start, found, 0)]

        pieces: list[Fetched] = await self._wire.ask(self._client, "read changelog", read)
        return pieces


def fetched(tp: Partition, start: int, read: Read, generation: int) -> Fetched:
    """What was read as the worker's consumer delivers it."""
    entries = [entry for _, entry in read.entries]
    has_headers = any(entry.headers for entry in entries)
    return Fetched(
        topic=tp[0],
        partition=tp[1],
        first_offset=start,
        next_offset=read.position,
        end_offset=read.end,
        generation=generation,
        size=sum(len(entry.value or b"") + len(entry.key or b"") for entry in entries),
        offsets=[offset for offset, _ in read.entries],
        timestamps=[0] * len(entries),
        keys=[entry.key for entry in entries],
        values=[entry.value for entry in entries],
        headers=[entry.headers for entry in entries] if has_headers else None,
    )
