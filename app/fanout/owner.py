"""The owners of a process's partitions, with all their entities in one table: a step for many costs little more than
one for a single partition."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from app.fanout.asker import orders_of, owners_of, part_of
from app.fanout.merger import Merged, Merger
from app.fanout.messages import ASK, AnswerBatch, AskBatch, Ids, Rows, rows_joined
from app.velocity.definitions import RETENTION_MS, Velocity
from app.velocity.entities import ENTITIES, USER
from app.velocity.entity_table import EntityTable
from app.velocity.logs import StoredLogs
from app.velocity.records import Ints, Mark
from app.velocity.windows import Floats

_BITS = np.uint8(1) << np.arange(len(ENTITIES), dtype=np.uint8)


class Owners:
    """The entities of some partitions; no entity is of two.

    Args:
        mine: the partitions.
        partitions: of the topics; each of them asks.
        velocities: of all kinds that can be wanted; those of users are not computed here.
    """

    def __init__(self, mine: Collection[int], partitions: int, velocities: Sequence[Velocity]) -> None:
        self._partitions = partitions
        self.mergers = {number: Merger(partitions) for number in mine}
        self.late = 0
        """What came after something later had been taken and answered, from a partition that had been idle."""
        self._known = {velocity.id: velocity for velocity in _of_others(velocities)}
        self._wanted: Ids = ()
        self.entities = EntityTable(_of_others(velocities))
        self._use(())

    def add(self, owner: int, batch: AskBatch, sent_at: int, offset: int = 0) -> bool:
        """Let a message to the partition ``owner`` wait for its turn; see `Merger.add`."""
        return self.mergers[owner].add(self.part(owner, batch), sent_at, offset)

    def part(self, owner: int, batch: AskBatch) -> AskBatch:
        """What of a message to a partition concerns it as an owner."""
        return part_of(batch, owner, self._partitions) if batch.source == owner else batch

    def take(self, now_ms: int) -> dict[tuple[int, int], AnswerBatch]:
        """Take in what every partition has come past; the answers by owner and partition that asked."""
        taken = {number: found for number, merger in self.mergers.items() if (found := merger.take(now_ms))}
        return self.process(taken, {number: self.mergers[number].wanted for number in taken})

    def process(
        self, taken: Mapping[int, Merged], asking: Mapping[int, Mapping[int, Ids]]
    ) -> dict[tuple[int, int], AnswerBatch]:
        """Take in what came of each owner's turn; the answers by owner and partition that asked, of those ``asking``.

        Where nobody asks nothing is computed.
        """
        if not taken:
            return {}
        wanted = tuple(dict.fromkeys(each for of_owner in asking.values() for ids in of_owner.values() for each in ids))
        if wanted:
            self.late += sum(found.late for found in taken.values())
            if wanted != self._wanted:
                self._use(wanted)
        asks, turns, marks = _joined(list(taken.values()))
        values = self._values(asks, turns, marks, telling=bool(wanted))
        answers = _split(taken, values, self._used) if wanted else []
        return {pair: found for pair, found in answers if pair[1] in asking[pair[0]]}

    def forget(self, owner: int) -> None:
        """Forget the entities of a partition."""
        self.mergers.pop(owner, None)
        self.entities.logs.remove(self._slots(owner))

    def stored(self, owner: int) -> StoredLogs:
        """The logs of a partition's entities."""
        return self.entities.logs.stored(self._slots(owner))

    def restore(self, owner: int, logs: StoredLogs) -> None:
        """Take over what `stored` told."""
        self.entities.logs.restore(logs, owner)

    def expire(self) -> None:
        """Forget entities that nothing was heard of for so long that no window can see them, each by the time that its
        owner has come to."""
        before = np.full(self._partitions, np.iinfo(np.int64).min)
        for number, merger in self.mergers.items():
            before[number] = merger.passed - RETENTION_MS
        self.entities.logs.expire(before[owners_of(self.entities.logs.keys, self._partitions)])

    def _slots(self, owner: int) -> Ints:
        keys = self.entities.logs.keys
        return np.flatnonzero((keys != 0) & (owners_of(keys, self._partitions) == owner))

    def _use(self, wanted: Ids) -> None:
        """Compute what is ``wanted`` from now on, as far as it is known here."""
        velocities = [self._known[each] for each in wanted if each in self._known]
        self._wanted, self._used = wanted, tuple(velocity.id for velocity in velocities)
        self.entities.use(velocities)

    def _values(self, asks: Rows, turns: Ints, marks: Sequence[Mark], telling: bool) -> Floats:
        named = (asks["kinds"][:, None] & _BITS).astype(np.bool_)
        return self.entities.apply(orders_of(asks, turns), named, marks, telling)


def _of_others(velocities: Sequence[Velocity]) -> list[Velocity]:
    return [velocity for velocity in velocities if velocity.entity != ENTITIES[USER]]


def _joined(merged: Sequence[Merged]) -> tuple[Rows, Ints, list[Mark]]:
    """Asks, their turns, and marks of several owners, one after the other."""
    turns, marks, base = [np.zeros(0, np.int64)], [], 0
    for found in merged:
        turns.append(found.turns + base)
        marks += [replace(mark, turn=mark.turn + base) for mark in found.marks]
        base += found.count
    return rows_joined([found.asks for found in merged], ASK), np.concatenate(turns), marks


def _split(merged: Mapping[int, Merged], values: Floats, ids: Ids) -> list[tuple[tuple[int, int], AnswerBatch]]:
    answers, base = [], 0
    for owner, found in merged.items():
        own = values[base : base + len(found.asks)]
        base += len(found.asks)
        for source in np.unique(found.sources).tolist():
            rows = np.flatnonzero(found.sources == source)
            offsets = found.asks["offset"][rows]
            answers.append(((owner, source), AnswerBatch(owner, offsets, own[rows], ids)))
    return answers
