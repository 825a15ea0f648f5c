"""Everything that a process does for its partitions, without a broker: messages in, messages and orders out."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from app.fanout.asker import Askers, Question, parts_of
from app.fanout.joiner import Joiners
from app.fanout.messages import AnswerBatch, AskBatch, Asked
from app.fanout.owner import Owners
from app.fanout.partition import MAX_VALUE_BYTES, SAY_IDLE_EVERY_S, FanOutPartition, Resume, pieces_of
from app.velocity.definitions import HOUR_MS, RETENTION_MS, Velocity
from schemas.topics import VELOCITY_ANSWERS, VELOCITY_ASKS

STEP_RECORDS = 8_192
GATHER_S = 0.25
"""How long orders are gathered for the owners where nobody wants an answer; shorter than who is idle is taken to be."""
MOST_WAITING = 32_768
"""Records of a partition that wait to be asked about, or orders that wait for answers: it takes no more meanwhile."""

TopicLag = Callable[[int, str], int | None]
"""Records of a partition of an input topic that the broker has and this has not; None while that is unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """What is written to a partition of an internal topic, about what the partition ``source`` asks.

    An owner in this process takes ``part``, and need not wait for the topic. A message that is not ``lasting`` says no
    more than how far the source has come: who is told so in this process needs no record of it.
    """

    topic: str
    partition: int
    batch: AskBatch | AnswerBatch | Asked
    source: int
    lasting: bool = True
    part: AskBatch | None = None

    @property
    def value(self) -> bytes:
        """As it is written."""
        return self.batch.encoded()


class FanOutParts:
    """The partitions of a process.

    Args:
        mine: their numbers.
        partitions: of all topics.
        velocities: what can be wanted, and is at first.
        joiners: where the orders of the partitions meet their answers.
        max_idle: seconds that alignment waits for orders or labels that have no more.
        most_waiting: see `MOST_WAITING`.
        value_bytes: see `MAX_VALUE_BYTES`.
    """

    def __init__(
        self,
        mine: Collection[int],
        partitions: int,
        velocities: Sequence[Velocity],
        joiners: Joiners,
        max_idle: float = 0.003,
        most_waiting: int = MOST_WAITING,
        value_bytes: int = MAX_VALUE_BYTES,
    ) -> None:
        self._most_waiting, self._value_bytes = most_waiting, value_bytes
        self._joiners, self._max_idle = joiners, max_idle
        self.count = partitions
        self._expired_at = 0
        self._asked_at = -GATHER_S
        self._records: list[Message] = []
        self._told_idle: dict[int, float] = {}
        self.asked = 0
        self.answered = 0
        self.partitions = {number: self._partition(number, Resume()) for number in mine}
        self.epochs: dict[int, int] = {}
        """Of the partitions that were taken over, see `AskBatch`."""
        self.confirmed: dict[int, int] = {}
        """By partition: see `AskBatch`."""
        self.askers = Askers(partitions, velocities)
        self.owners = Owners(mine, partitions, velocities)

    def use(self, velocities: Sequence[Velocity]) -> None:
        """Ask for these from now on, of those that can be wanted."""
        self.askers.use(velocities)

    def begin(self, number: int, epoch: int, resume: Resume) -> None:
        """A partition whose entities are here goes on as its worker of this ``epoch``."""
        self.partitions[number] = self._partition(number, resume)
        self.epochs[number] = epoch

    def _partition(self, number: int, resume: Resume) -> FanOutPartition:
        return FanOutPartition(number, self._joiners.of(number), self._max_idle, resume, self._value_bytes)

    def stop(self, number: int) -> None:
        """A partition goes on no more; its entities stay here."""
        self.partitions.pop(number, None)
        self.epochs.pop(number, None)
        self.confirmed.pop(number, None)

    def forget(self, number: int) -> None:
        """Forget the entities of a partition."""
        self.askers.forget(number)
        self.owners.forget(number)

    def asks(self, lag: TopicLag, now: float) -> list[Message]:
        """What to tell the owners of what came in; where nobody wants an answer, it is gathered for a while."""
        if not self._is_due(now):
            return []
        taken = [
            found
            for number, part in self.partitions.items()
            if part.joiner.waiting < self._most_waiting
            and (found := part.take(_of(lag, number), now, STEP_RECORDS)) is not None
        ]
        if not taken:
            return []
        questions = self.askers.ask(pieces_of(taken))
        for question in questions:
            self.partitions[question.whole.source].joiner.expect(question.asked)
            self.asked += len(question.asked.offsets)
        return self._messages(questions, now)

    def _is_due(self, now: float) -> bool:
        """Whether to ask now: for few orders that costs as much as for many."""
        is_full = any(part.buffered >= STEP_RECORDS for part in self.partitions.values())
        if not (self.askers.is_asking or is_full or now - self._asked_at >= GATHER_S):
            return False
        self._asked_at = now
        return True

    def _messages(self, questions: Sequence[Question], now: float) -> list[Message]:
        wholes = [self._signed(question.whole) for question in questions]
        for question in questions:
            source = question.whole.source
            if len(question.asked.offsets) and source in self.epochs:
                self._records.append(Message(VELOCITY_ANSWERS, source, question.asked, source))
        return self.spread(wholes, [self._must_say(whole, now) for whole in wholes])

    def _signed(self, whole: AskBatch) -> AskBatch:
        source = whole.source
        return replace(whole, epoch=self.epochs.get(source, 0), confirmed=self.confirmed.get(source, 0))

    def records(self) -> list[Message]:
        """What was told of users since the last call, for whoever takes a partition over."""
        found, self._records = self._records, []
        return found

    def spread(self, wholes: Sequence[AskBatch], say_all: Sequence[bool]) -> list[Message]:
        """All that partitions ask for their own topic partitions, and to the other owners what concerns them; unless
        ``say_all`` of a whole only to those whom it concerns."""
        messages = []
        for whole, parts, to_all in zip(wholes, parts_of(wholes, self.count), say_all, strict=True):
            source = whole.source
            messages.append(Message(VELOCITY_ASKS, source, whole, source, whole.rows > 0, parts[source]))
            messages += [
                Message(VELOCITY_ASKS, owner, part, source, part.rows > 0, part)
                for owner, part in enumerate(parts)
                if owner != source and (to_all or part.rows)
            ]
        return messages

    def _must_say(self, whole: AskBatch, now: float) -> bool:
        """Whether owners that nothing is asked of must hear too: they wait for who is not idle, or said so long ago."""
        if not whole.idle:
            self._told_idle.pop(whole.source, None)
            return True
        if now - self._told_idle.get(whole.source, -SAY_IDLE_EVERY_S) < SAY_IDLE_EVERY_S:
            return False
        self._told_idle[whole.source] = now
        return True

    def answers(self, asks: Mapping[int, Sequence[tuple[int, AskBatch]]], now_ms: int) -> list[Message]:
        """What to answer to what came in for each owner, each part with the ms at which it was written."""
        for number, parts in asks.items():
            for sent_at, part in parts:
                self.owners.add(number, part, sent_at)
        found = self.owners.take(now_ms)
        self.answered += sum(len(batch.offsets) for batch in found.values())
        self._expire()
        return [Message(VELOCITY_ANSWERS, source, batch, source) for source, batch in found.items()]

    def hear(self, answers: Iterable[Message]) -> None:
        """Let orders of this process meet what `answers` told of them."""
        for message in answers:
            part = self.partitions.get(message.partition)
            if part is not None and isinstance(message.batch, AnswerBatch):
                part.joiner.receive(message.batch)

    def _expire(self) -> None:
        """Every hour of event time forget what nobody can see any more."""
        passed = [merger.passed for merger in self.owners.mergers.values() if merger.passed]
        if passed and min(passed) - self._expired_at >= HOUR_MS:
            self._expired_at = min(passed)
            self.owners.expire()
            self.askers.expire(self._expired_at - RETENTION_MS)


def taken_here(messages: Iterable[Message], now_ms: int) -> dict[int, list[tuple[int, AskBatch]]]:
    """What `FanOutParts.answers` is given of messages to owners of this process, as of ``now_ms``."""
    found: dict[int, list[tuple[int, AskBatch]]] = {}
    for message in messages:
        if message.part is not None:
            found.setdefault(message.partition, []).append((now_ms, message.part))
    return found


def _of(lag: TopicLag, number: int) -> Callable[[str], int | None]:
    return lambda topic: lag(number, topic)
