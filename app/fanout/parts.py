"""Everything that a process does for its partitions, without a broker: messages in, messages and orders out."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from app.fanout.asker import Askers
from app.fanout.joiner import Joiners
from app.fanout.messages import AskBatch
from app.fanout.owner import Owners
from app.fanout.partition import FanOutPartition
from app.velocity.definitions import Velocity

ASKS, ANSWERS = "velocity-asks", "velocity-answers"
"""The internal topics; they have as many partitions as the inputs."""

STEP_RECORDS = 8_192
MOST_WAITING = 32_768
"""Records of a partition that wait to be asked about, or orders that wait for answers: it takes no more meanwhile."""

TopicLag = Callable[[int, str], int | None]
"""Records of a partition of an input topic that the broker has and this has not; None while that is unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """A record for an internal topic."""

    topic: str
    partition: int
    value: bytes


class FanOutParts:
    """The partitions of a process.

    Args:
        mine: their numbers.
        partitions: of all topics.
        velocities: what can be wanted, and is at first.
        joiners: where the orders of the partitions meet their answers.
        max_idle: seconds that alignment waits for orders or labels that have no more.
        most_waiting: see `MOST_WAITING`.
    """

    def __init__(
        self,
        mine: Collection[int],
        partitions: int,
        velocities: Sequence[Velocity],
        joiners: Joiners,
        max_idle: float = 0.003,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._most_waiting = most_waiting
        self.partitions = {number: FanOutPartition(number, joiners.of(number), max_idle) for number in mine}
        self.askers = Askers(partitions, velocities)
        self.owners = Owners(mine, partitions, velocities)

    def use(self, velocities: Sequence[Velocity]) -> None:
        """Ask for these from now on, of those that can be wanted."""
        self.askers.use(velocities)

    def asks(self, lag: TopicLag, now: float) -> list[Message]:
        """What to tell the owners of what came in."""
        pieces = []
        for number, part in self.partitions.items():
            if part.joiner.waiting < self._most_waiting:
                piece = part.piece(_of(lag, number), now, STEP_RECORDS)
                pieces += [piece] if piece else []
        if not pieces:
            return []
        messages = []
        for piece, asked in zip(pieces, self.askers.ask(pieces), strict=True):
            self.partitions[piece.partition].joiner.expect(asked)
            messages += [Message(ASKS, owner, batch.encoded()) for owner, batch in enumerate(asked.batches)]
        return messages

    def answers(self, asks: Mapping[int, Sequence[tuple[int, bytes]]], now_ms: int) -> list[Message]:
        """What to answer to the messages that came in by partition, each with the ms at which it was written.

        Raises:
            BadMessage: of another layout, or damaged.
        """
        for number, messages in asks.items():
            for sent_at, value in messages:
                self.owners.add(number, AskBatch.decoded(value), sent_at)
        found = self.owners.take(now_ms)
        return [Message(ANSWERS, source, batch.encoded()) for (_, source), batch in found.items()]


def _of(lag: TopicLag, number: int) -> Callable[[str], int | None]:
    return lambda topic: lag(number, topic)
