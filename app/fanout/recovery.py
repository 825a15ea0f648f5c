"""A partition that this process takes over, brought back from a snapshot and what its topic has beyond it.

Everything follows from the partition of `velocity-asks`: what all partitions asked of the owner, and the whole of what
the partition itself asked, from which its users follow. So neither inputs nor other partitions are read again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from app.fanout.merger import Merger, Taken
from app.fanout.messages import AskBatch, Asked
from app.fanout.partition import Resume
from app.fanout.parts import FanOutParts, Message
from app.fanout.snapshot import Snapshot
from app.velocity.repeats import RecentOrders
from schemas.topics import VELOCITY_ANSWERS

ANSWER_AGAIN_MS = 600_000
"""What the last 10 minutes of the topic brought is answered again: who had the partition may not have come to it. What
is older it had answered; nothing is computed for it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Unconfirmed:
    """What the partition asked that may not have reached all owners."""

    offset: int
    whole: AskBatch
    asked: Asked


@dataclass(eq=False)
class Recovering:
    """One partition on its way back. It is processed by itself, while the others of the process go on.

    Args:
        parts: of the process, without the partition.
        number: of the partition.
        snapshot: to begin with; None: with nothing.
        log_end_ms: when the last record of its topic was written, ms since the epoch.
    """

    parts: FanOutParts
    number: int
    snapshot: Snapshot | None
    log_end_ms: int
    rows: int = 0
    resume: Resume = field(default_factory=Resume)
    confirmed: int = 0
    offset: int = 0
    answers: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._merger = Merger(self.parts.count)
        self._unconfirmed: list[_Unconfirmed] = []
        if self.snapshot is not None:
            self._begin(self.snapshot)

    def add(self, records: Sequence[tuple[int, int, AskBatch]]) -> None:
        """Take the next records in: offset, the ms at which each was written, and what it says."""
        owners = self.parts.owners
        for offset, sent_at, batch in records:
            mine = owners.part(self.number, batch)
            if self._merger.add(mine, sent_at, offset) and batch.source == self.number and not batch.is_takeover:
                self._own(offset, sent_at, batch)
            self.rows += mine.rows
            self.offset = offset + 1
        sent_at = records[-1][1]
        if taken := self._merger.take(sent_at):
            self._answer(taken, sent_at)

    def finish(self, epoch: int) -> list[Message]:
        """Let the partition go on as of ``epoch``.

        Returns:
            What may never have been sent: asks to other owners, and what was told of users. ``answers`` too are to be
            given again.
        """
        parts, number = self.parts, self.number
        parts.owners.mergers[number] = self._merger
        parts.confirmed[number] = self.confirmed
        parts.begin(number, epoch, self.resume)
        again = []
        for each in self._unconfirmed:
            whole = AskBatch(**{name: getattr(each.whole, name) for name in _SAME}, idle=False, epoch=epoch)
            again += [message for message in parts.spread([whole], [True]) if message.partition != number]
            again.append(Message(VELOCITY_ANSWERS, number, each.asked, number))
        return again

    def _begin(self, snapshot: Snapshot) -> None:
        parts = self.parts
        self.offset, self.resume, self.confirmed = snapshot.offset, snapshot.resume, snapshot.confirmed
        self._merger = Merger.restored(snapshot.merger)
        parts.owners.restore(self.number, snapshot.others)
        parts.askers.restore(self.number, snapshot.users, snapshot.labels, RecentOrders.restored(snapshot.recent))

    def _own(self, offset: int, sent_at: int, batch: AskBatch) -> None:
        """What the partition itself asked: it leads to its users. What the snapshot has of it is left out."""
        if batch.orders <= self.resume.orders and batch.labels <= self.resume.labels:
            return
        is_late = self._is_late(sent_at)
        asked = self.parts.askers.replay(batch, telling=is_late)
        self.resume = Resume(batch.orders, batch.labels, batch.watermark)
        self.confirmed = max(self.confirmed, batch.confirmed)
        self._unconfirmed = [each for each in self._unconfirmed if each.offset >= self.confirmed]
        if is_late:
            self._unconfirmed.append(_Unconfirmed(offset, batch, asked))

    def _answer(self, taken: Taken, sent_at: int) -> None:
        asking = self._merger.wanted if self._is_late(sent_at) else {}
        found = self.parts.owners.process({self.number: taken}, {self.number: asking})
        self.answers += [Message(VELOCITY_ANSWERS, source, batch, self.number) for source, batch in found.items()]

    def _is_late(self, sent_at: int) -> bool:
        return sent_at >= self.log_end_ms - ANSWER_AGAIN_MS


_SAME = ("source", "watermark", "orders", "labels", "asks", "marks", "wanted")


def taken_down(parts: FanOutParts, number: int, offset: int) -> Snapshot:
    """A copy of what is known of a partition that goes on, as of ``offset`` of its asks. The topic must have all that
    was asked by now."""
    users = parts.askers.users.logs
    home = np.flatnonzero((users.keys != 0) & (users.home == number))
    return Snapshot(
        offset=offset,
        resume=parts.partitions[number].resume,
        confirmed=parts.confirmed.get(number, 0),
        users=users.stored(home),
        labels=parts.askers.resolver(number).stored(),
        recent=parts.askers.recent(number).stored(),
        merger=parts.owners.mergers[number].stored(),
        others=parts.owners.stored(number),
    )
