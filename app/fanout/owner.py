"""The owners of a process's partitions, with all their entities in one table: a step for many costs little more than
one for a single partition."""

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

import numpy as np

from app.fanout.asker import orders_of, owners_of, part_of
from app.fanout.merger import Merged, Merger, Taken, merged
from app.fanout.messages import AnswerBatch, AskBatch, Ids
from app.features.scan import group_starts
from app.velocity.definitions import RETENTION_MS, Velocity
from app.velocity.entities import ENTITIES, USER
from app.velocity.entity_table import EntityTable
from app.velocity.logs import StoredLogs
from app.velocity.records import Ints
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

    def add(self, owner: int, part: AskBatch, sent_at: int, offset: int = 0) -> bool:
        """Let what concerns the partition ``owner`` wait for its turn; see `Merger.add`."""
        return self.mergers[owner].add(part, sent_at, offset)

    def part(self, owner: int, batch: AskBatch) -> AskBatch:
        """What of a message that was written to a partition concerns it as an owner."""
        return part_of(batch, owner, self._partitions) if batch.source == owner else batch

    def take(self, now_ms: int) -> dict[int, AnswerBatch]:
        """Take in what every partition has come past; the answers by partition that asked."""
        taken = {number: found for number, merger in self.mergers.items() if (found := merger.take(now_ms))}
        return self.process(taken, {number: self.mergers[number].wanted for number in taken})

    def process(self, taken: Mapping[int, Taken], asking: Mapping[int, Mapping[int, Ids]]) -> dict[int, AnswerBatch]:
        """Take in what came of each owner's turn; the answers by partition that asked, to those ``asking`` each owner.

        Where nobody asks nothing is computed.
        """
        if not taken:
            return {}
        lists = dict.fromkeys(ids for of_owner in asking.values() for ids in of_owner.values())
        wanted = tuple(dict.fromkeys(each for ids in lists for each in ids))
        found = merged(taken)
        if wanted:
            self.late += found.late
            if wanted != self._wanted:
                self._use(wanted)
        named = (found.asks["kinds"][:, None] & _BITS).astype(np.bool_)
        values = self.entities.apply(orders_of(found.asks, found.turns), named, found.marks, telling=bool(wanted))
        return self._answers(found, values, asking) if wanted else {}

    def _answers(
        self, found: Merged, values: Floats, asking: Mapping[int, Mapping[int, Ids]]
    ) -> dict[int, AnswerBatch]:
        """To each partition one answer of all owners here: what they know of an order is put together."""
        is_asking = np.zeros((self._partitions, self._partitions), np.bool_)
        for owner, sources in asking.items():
            is_asking[owner, list(sources)] = True
        rows = is_asking[found.owners, found.sources].nonzero()[0]
        order = rows[np.lexsort((found.asks["offset"][rows], found.sources[rows]))]
        offsets, partitions = found.asks["offset"][order], found.sources[order]
        is_first = np.ones(len(order), np.bool_)
        is_first[1:] = (offsets[1:] != offsets[:-1]) | (partitions[1:] != partitions[:-1])
        starts = is_first.nonzero()[0]
        if not len(starts):
            return {}
        known = np.fmax.reduceat(values[order], starts)  # NaN is another owner's to tell
        told = np.logical_or.reduceat(found.owners[order, None] == np.arange(self._partitions), starts)
        offsets, partitions = offsets[starts], partitions[starts]
        bounds = [*group_starts(partitions).tolist(), len(partitions)]
        return {
            int(partitions[start]): AnswerBatch(offsets[start:stop], known[start:stop], self._used, told[start:stop])
            for start, stop in pairwise(bounds)
        }

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


def _of_others(velocities: Sequence[Velocity]) -> list[Velocity]:
    return [velocity for velocity in velocities if velocity.entity != ENTITIES[USER]]
