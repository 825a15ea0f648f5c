"""Kafka as plain data: logs with transactions and their markers, producer epochs, a group's committed offsets."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from aiokafka.errors import ConcurrentTransactions, InvalidProducerEpoch, InvalidTxnState, OutOfOrderSequenceNumber

from app.kafka.fetched import Headers, Partition


class Outcome(Enum):
    """How far a transaction has come."""

    OPEN = "open"
    COMMITTED = "committed"
    ABORTED = "aborted"


@dataclass(eq=False)
class Transaction:
    """What one producer writes together; nobody who reads committed records sees it before its end.

    ``decided`` is how it will end; it has ended, with ``outcome``, when its markers are written.
    """

    outcome: Outcome = Outcome.OPEN
    decided: Outcome = Outcome.OPEN
    touched: dict[Partition, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Epoch:
    """A producer, and which of those of its transactional id in turn it is (KIP-98)."""

    producer_id: int
    number: int


@dataclass(eq=False)
class Producer:
    """A transactional id as its coordinator knows it.

    ``written`` are, by partition, the sequence number that comes next and the base offsets of the latest batches.
    """

    transactional_id: str
    epoch: Epoch
    transaction: Transaction | None = None
    last: Outcome = Outcome.OPEN
    written: dict[Partition, tuple[int, dict[int, int]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A record; a transaction's marker has no value and ``is_marker``."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    transaction: Transaction | None = None
    is_marker: bool = False

    @property
    def is_committed(self) -> bool:
        """Whether a consumer of committed records may see it."""
        return not self.is_marker and (self.transaction is None or self.transaction.outcome is Outcome.COMMITTED)


@dataclass(frozen=True, slots=True)
class Read:
    """What a consumer of committed records finds: records with their offsets, the next position, and the end."""

    entries: list[tuple[int, Entry]]
    position: int
    end: int


class Kafka:
    """The broker. Everything happens at once when it is called; that it may not, and when, is up to the caller."""

    def __init__(self) -> None:
        self.logs: defaultdict[Partition, list[Entry]] = defaultdict(list)
        self.offsets: dict[Partition, int] = {}
        self.producers: dict[str, Producer] = {}

    def write(self, tp: Partition, entries: Sequence[Entry]) -> int:
        """Append what belongs to no transaction; tells the offset of the first."""
        log = self.logs[tp]
        log.extend(entries)
        return len(log) - len(entries)

    def begin(self, transactional_id: str) -> Epoch:
        """A new producer: those before it are fenced, and what they left open is aborted.

        Raises:
            ConcurrentTransactions: the last transaction has not ended yet.
        """
        known = self.producers.get(transactional_id)
        if known is None:
            epoch = Epoch(len(self.producers), 0)
            self.producers[transactional_id] = Producer(transactional_id, epoch)
            return epoch
        self.time_out(transactional_id)
        if known.transaction is not None:
            raise ConcurrentTransactions
        self._bump(known)
        return known.epoch

    def add_partitions(self, transactional_id: str, epoch: Epoch, partitions: Iterable[Partition]) -> None:
        """Begin a transaction where there is none, and make partitions part of it."""
        producer = self._producer(transactional_id, epoch)
        if producer.transaction is None:
            producer.transaction = Transaction()
        elif producer.transaction.decided is not Outcome.OPEN:
            raise ConcurrentTransactions
        producer.transaction.touched.update(dict.fromkeys(partitions))

    def write_in_transaction(
        self, transactional_id: str, epoch: Epoch, sequence: int, tp: Partition, entries: Sequence[Entry]
    ) -> int:
        """Append a batch to the producer's transaction; one that was appended before is not appended again."""
        producer = self._producer(transactional_id, epoch)
        following, bases = producer.written.get(tp, (0, {}))
        if sequence in bases:
            return bases[sequence]
        transaction = self._open(producer)
        if tp not in transaction.touched:
            raise InvalidTxnState
        if sequence != following:
            raise OutOfOrderSequenceNumber
        written = [Entry(entry.key, entry.value, entry.headers, transaction) for entry in entries]
        base = self.write(tp, written)
        producer.written[tp] = sequence + len(entries), {**bases, sequence: base}
        return base

    def commit(self, transactional_id: str, epoch: Epoch) -> None:
        """Decide the producer's transaction; asked again afterwards it is fine too."""
        producer = self._producer(transactional_id, epoch)
        if producer.transaction is not None and producer.transaction.decided is Outcome.COMMITTED:
            raise ConcurrentTransactions
        if producer.transaction is None and producer.last is Outcome.COMMITTED:
            return
        self._open(producer).decided = Outcome.COMMITTED

    def time_out(self, transactional_id: str) -> None:
        """Decide to abort an open transaction; its producer is of no use after that."""
        producer = self.producers[transactional_id]
        if producer.transaction is not None and producer.transaction.decided is Outcome.OPEN:
            producer.transaction.decided = Outcome.ABORTED
            self._bump(producer)

    def finish(self, transactional_id: str) -> None:
        """Write the markers of a transaction that is decided."""
        producer = self.producers[transactional_id]
        transaction = producer.transaction
        assert transaction is not None
        producer.transaction, producer.last = None, transaction.decided
        transaction.outcome = transaction.decided
        for tp in transaction.touched:
            self.logs[tp].append(Entry(None, None, [], transaction, is_marker=True))

    def transactions(self, decided: bool) -> list[str]:
        """Ids that have a transaction, either to be finished or still open."""
        return [
            id_
            for id_, producer in self.producers.items()
            if producer.transaction is not None and (producer.transaction.decided is not Outcome.OPEN) == decided
        ]

    def stable_end(self, tp: Partition) -> int:
        """The last stable offset: the first one of a transaction that has not ended, or the end."""
        running = {
            id(producer.transaction)
            for producer in self.producers.values()
            if producer.transaction is not None and tp in producer.transaction.touched
        }
        log = self.logs[tp]
        if not running:
            return len(log)
        return next((at for at, entry in enumerate(log) if id(entry.transaction) in running), len(log))

    def read(self, tp: Partition, position: int, most: int) -> Read:
        """Committed records from ``position`` on, over at most so many offsets."""
        end = self.stable_end(tp)
        stop = max(position, min(end, position + most))
        entries = self.logs[tp][position:stop]
        return Read([(at, one) for at, one in enumerate(entries, position) if one.is_committed], stop, end)

    def committed(self, tp: Partition) -> Iterator[Entry]:
        """All records that are committed."""
        return (entry for _, entry in self.read(tp, 0, len(self.logs[tp])).entries)

    def _producer(self, transactional_id: str, epoch: Epoch) -> Producer:
        producer = self.producers[transactional_id]
        if producer.epoch != epoch:
            raise InvalidProducerEpoch
        return producer

    def _open(self, producer: Producer) -> Transaction:
        if producer.transaction is None or producer.transaction.decided is not Outcome.OPEN:
            raise InvalidTxnState
        return producer.transaction

    def _bump(self, producer: Producer) -> None:
        producer.epoch = Epoch(producer.epoch.producer_id, producer.epoch.number + 1)
        producer.written.clear()
