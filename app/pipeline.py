"""The path without its ends: fetched bytes in, effects and output records out, for any number of partitions.

The worker feeds it from Kafka, a replay from a file; there is no other path.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from app.batch import TOPICS
from app.effects import Effects
from app.events.align import Aligned, Aligner
from app.events.decode import Decoder, Rejected
from app.fanout.gate import Gate
from app.fanout.joiner import Joiners
from app.kafka.fetched import Fetched, Partition
from app.kafka.partition import partition_of
from app.publish.outgoing import Outgoing
from app.publish.publish import publish
from app.rules.book import RuleBook
from app.state.columns import Change, Lifetimes
from app.state.state import State
from app.step import Models, step

TopicLag = Callable[[Partition], int | None]
"""Records of a partition that the broker has and this worker has not; None while that is unknown."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a step: records, bytes of one value, and the seconds to wait for an idle topic."""

    step_records: int
    value_bytes: int
    max_idle: float


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """One step's effects and output records, and the input offsets that they make durable."""

    effects: Effects
    outgoing: list[Outgoing]
    changes: list[Change]  # one of each partition that changed
    next_offsets: dict[Partition, int]
    inputs: dict[str, int]  # records that were read, by topic; those rejected too
    enforced: list[int]  # partitions that went on without an idle topic

    @property
    def records(self) -> int:
        """Records that were read."""
        return sum(self.inputs.values())


class Pipeline:
    """Decodes, aligns, steps and publishes. ``models`` may be replaced between two calls of ``work``.

    Args:
        models: score clicks and orders, with the ruleset to begin with.
        lifetimes: of sessions and histories.
        limits: of one step.
        partitions: number of partitions of the input topics.
        with_headers: whether outputs carry CloudEvents headers.
        joiners: where orders meet the velocities of their entities. None: nobody asks for any, and they are missing.
    """

    def __init__(
        self,
        models: Models,
        lifetimes: Lifetimes,
        limits: Limits,
        partitions: int,
        with_headers: bool,
        joiners: Joiners | None = None,
    ) -> None:
        self.state = State.empty(lifetimes)
        self._gate = Gate(joiners or Joiners(None))
        self._is_joined = joiners is not None
        self._models, self._rules = models, models.rules
        self._look()
        self.unknown_fields: dict[str, int] = {}
        self._limits = limits
        self._with_headers = with_headers
        self._decoder = Decoder(
            limits.value_bytes, lambda user, partition: partition_of(user.encode(), partitions) == partition
        )
        self._aligners: dict[int, Aligner] = {}
        self._rejected: list[Rejected] = []

    def use_rules(self, rules: RuleBook) -> None:
        """Decide by another rule book from the next step on, whatever models there are."""
        self._rules = rules
        self._look()

    @property
    def models(self) -> Models:
        """That score from the next step on; the rules are those of `use_rules`."""
        return self._models

    @models.setter
    def models(self, models: Models) -> None:
        self._models = models
        self._look()

    def _look(self) -> None:
        """Note what is looked at: the gate lets orders through that were told so much."""
        self.velocities = replace(self._models, rules=self._rules).velocities
        """What rules and models look at."""
        self._gate.velocities = self.velocities if self._is_joined else ()

    @property
    def waiting(self) -> int:
        """Records that wait for their turn."""
        return sum(aligner.records for aligner in self._aligners.values())

    def buffered(self, topic: str) -> int:
        """Records of a topic that wait for their turn."""
        return sum(aligner.buffered(topic) for aligner in self._aligners.values())

    def forget_waiting(self) -> None:
        """Forget every record that waits: they will be fetched again, or by another worker."""
        self._aligners.clear()
        self._rejected.clear()
        self._gate.again()

    def feed(self, fetched: Fetched) -> None:
        """Take in what a fetch returned, without what all rows include; the rows of its partition are there.

        Raises:
            InputTruncated: the topic ends before what the state includes.
        """
        aligner = self._aligners.get(fetched.partition)
        if aligner is None:
            aligner = Aligner(fetched.partition, TOPICS, self._limits.max_idle)
            self._aligners[fetched.partition] = aligner
        applied = self.state.applied.get(fetched.partition)
        decoded = self._decoder.decode(applied.unread(fetched) if applied else fetched)
        self._rejected += decoded.rejected
        if decoded.unknown_fields:
            known = self.unknown_fields.get(fetched.topic, 0)
            self.unknown_fields[fetched.topic] = known + decoded.unknown_fields
        aligner.add(decoded)

    def work(self, lag: TopicLag, now: float, now_ms: int) -> Work | None:
        """Process what may go now; None if nothing may.

        Args:
            lag: of the owned partitions' topics.
            now: seconds on a monotonic clock, for idle topics.
            now_ms: ms since the epoch, the time of scoring.
        """
        aligned = self._aligned(lag, now, now_ms)
        if not aligned:
            return None
        next_offsets = {
            (topic, piece.partition): offset for piece in aligned for topic, offset in piece.next_offsets.items()
        }
        rejected = self._passed(next_offsets)
        models = replace(self.models, rules=self._rules)
        effects = step(self.state, aligned, models, rejected)
        return Work(
            effects=effects,
            changes=_by_partition(effects.changes),
            outgoing=list(publish(effects, models, now_ms, self._with_headers)),
            next_offsets=next_offsets,
            inputs=_inputs(aligned, rejected),
            enforced=[piece.partition for piece in aligned if piece.enforced],
        )

    def wait(self, lag: TopicLag, now: float) -> float | None:
        """Seconds until something may go without new data; None if nothing may."""
        waits = [self._gate.wait(aligner, _of(lag, aligner.partition), now) for aligner in self._aligners.values()]
        return min((wait for wait in waits if wait is not None), default=None)

    def _passed(self, next_offsets: Mapping[Partition, int]) -> list[Rejected]:
        """The rejected records below ``next_offsets``: they become durable with their offsets, so only once."""
        passed: list[Rejected] = []
        waiting: list[Rejected] = []
        for record in self._rejected:
            is_passed = record.offset < next_offsets.get((record.topic, record.partition), 0)
            (passed if is_passed else waiting).append(record)
        self._rejected = waiting
        return passed

    def _aligned(self, lag: TopicLag, now: float, now_ms: int) -> list[Aligned]:
        """What may go: of each partition its share, then what is left to those that have more.

        Shares make waves wide: the busiest users of all partitions go side by side. A deep partition starves nobody.
        A piece also ends where a topic runs out; what may go on without that topic joins the same step.
        """
        found: list[Aligned] = []
        room = self._limits.step_records
        ready = list(self._aligners.values())
        while ready and room > 0:
            share = max(1, room // len(ready))
            more = []
            for aligner in ready:
                piece = self._gate.take(aligner, _of(lag, aligner.partition), now, min(share, room), now_ms)
                if piece:
                    found.append(piece)
                    room -= piece.records
                    if piece.records and aligner.records:
                        more.append(aligner)
            ready = more
        found.sort(key=lambda piece: piece.partition)  # so that each partition's outputs lie side by side
        return found


def _of(lag: TopicLag, partition: int) -> Callable[[str], int | None]:
    return lambda topic: lag((topic, partition))


def _by_partition(changes: Sequence[Change]) -> list[Change]:
    """One change per partition, in the order they were made."""
    found: dict[int, Change] = {}
    for change in changes:
        if change.partition in found:
            found[change.partition].keys.extend(change.keys)
            found[change.partition].values.extend(change.values)
        else:
            found[change.partition] = Change(change.partition, list(change.keys), list(change.values))
    return list(found.values())


def _inputs(aligned: Sequence[Aligned], rejected: Sequence[Rejected]) -> dict[str, int]:
    counts = Counter(record.topic for record in rejected)
    for piece in aligned:
        for part in piece.slices:
            counts[part.decoded.topic] += part.stop - part.start
    return dict(counts)
