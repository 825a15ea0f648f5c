"""Kafka as plain data: logs with transactions and their markers, producer epochs, a group's committed offsets."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from aiokafka.errors import ProducerFenced

from app.kafka.fetched import Headers, Partition


class Outcome(Enum):
    """How far a transaction has come."""

    OPEN = "open"
    COMMITTED = "committed"
    ABORTED = "aborted"


@dataclass(eq=False)
class Transaction:
    """What one producer writes together; nobody who reads committed records sees it before its end."""

    outcome: Outcome = Outcome.OPEN
    touched: dict[Partition, None] = field(default_factory=dict)
    offsets: dict[Partition, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Epoch:
    """A transactional id, and which of its producers in turn (KIP-98)."""

    transactional_id: str
    number: int


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
        self._epochs: dict[str, int] = {}
        self.open: dict[str, Transaction] = {}

    def write(self, tp: Partition, entries: Sequence[Entry]) -> int:
        """Append what belongs to no transaction; tells the offset of the first."""
        log = self.logs[tp]
        log.extend(entries)
        return len(log) - len(entries)

    def begin(self, transactional_id: str) -> Epoch:
        """A new producer: those before it are fenced, and what they left open is aborted."""
        self.time_out(transactional_id)
        self._epochs[transactional_id] = self._epochs.get(transactional_id, -1) + 1
        return Epoch(transactional_id, self._epochs[transactional_id])

    def write_in_transaction(self, epoch: Epoch, tp: Partition, entries: Sequence[Entry]) -> int:
        """Append to the producer's transaction, beginning one where there is none."""
        transaction = self._transaction(epoch)
        transaction.touched[tp] = None
        written = [Entry(entry.key, entry.value, entry.headers, transaction) for entry in entries]
        return self.write(tp, written)

    def add_offsets(self, epoch: Epoch, offsets: Mapping[Partition, int]) -> None:
        """Have input offsets committed with the producer's transaction."""
        self._transaction(epoch).offsets.update(offsets)

    def commit(self, epoch: Epoch) -> None:
        """Commit the producer's transaction."""
        self._transaction(epoch)
        self._end(epoch.transactional_id, Outcome.COMMITTED)

    def time_out(self, transactional_id: str) -> None:
        """Abort an open transaction; its producer is of no use after that."""
        if transactional_id in self.open:
            self._end(transactional_id, Outcome.ABORTED)
            self._epochs[transactional_id] += 1

    def stable_end(self, tp: Partition) -> int:
        """The last stable offset: the first one of an open transaction, or the end."""
        opened = {id(transaction) for transaction in self.open.values() if tp in transaction.touched}
        if not opened:
            return len(self.logs[tp])
        return next(at for at, entry in enumerate(self.logs[tp]) if id(entry.transaction) in opened)

    def read(self, tp: Partition, position: int, most: int) -> Read:
        """Committed records from ``position`` on, over at most so many offsets."""
        end = self.stable_end(tp)
        stop = max(position, min(end, position + most))
        entries = self.logs[tp][position:stop]
        return Read([(at, one) for at, one in enumerate(entries, position) if one.is_committed], stop, end)

    def committed(self, tp: Partition) -> Iterator[Entry]:
        """All records that are committed."""
        return (entry for _, entry in self.read(tp, 0, len(self.logs[tp])).entries)

    def _transaction(self, epoch: Epoch) -> Transaction:
        if self._epochs[epoch.transactional_id] != epoch.number:
            raise ProducerFenced
        return self.open.setdefault(epoch.transactional_id, Transaction())

    def _end(self, transactional_id: str, outcome: Outcome) -> None:
        transaction = self.open.pop(transactional_id)
        transaction.outcome = outcome
        for tp in transaction.touched:
            self.logs[tp].append(Entry(None, None, [], transaction, is_marker=True))
        if outcome is Outcome.COMMITTED:
            self.offsets.update(transaction.offsets)
