"""Faust's consumer, one event for each fetched batch, committing what the ledger says is durable."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from itertools import count

from faust.serializers.schemas import Schema
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, AppT, ConsumerMessage, EventT, Message
from faust.types.transports import TPorTopicSet
from mode import get_logger

from app.kafka.consumer_thread import ConsumerThread
from app.kafka.fetched import Fetched, Partition
from app.kafka.fetcher import Active
from app.kafka.inflight import InFlight
from app.kafka.ledger import Ledger
from app.kafka.options import TransportOptions

logger = get_logger(__name__)

Revoking = Callable[[frozenset[Partition], float], Awaitable[None]]
"""Called before partitions are given up, with the loop's time by which it must be done."""


class BatchSchema(Schema):  # type: ignore[misc]
    """An event whose value is the `Fetched` of its message: nothing is decoded for each record."""

    def compile(self, app: AppT, **_: object) -> Callable[..., Awaitable[EventT]]:
        """The function that makes an event of a message."""

        async def decode(message: Message, *, propagate: bool = False) -> EventT:
            return app.create_event(None, message.value, None, message=message)

        return decode


class Consumer(driver.Consumer):  # type: ignore[misc]
    """Delivers `Fetched` batches and commits by the ledger.

    What the agents acknowledge, by advancing, failing or being cancelled, has no influence on commits.
    """

    _thread: ConsumerThread

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.in_flight = InFlight(self._options)
        self.ledger = Ledger(on_durable=self._on_durable)
        self._choices = count(1)
        self.on_revoking: Revoking | None = None
        """Set by the application: finish or drop what is in work. Its work may be marked durable until it returns."""
        self.on_assigned: Callable[[int], None] = lambda generation: None
        """Set by the application: told the generation of an assignment before anything of it is delivered."""
        self.is_ready: Callable[[TP], bool] = lambda tp: True
        """Set by the tables: whether a partition may be read already."""
        self.on_commit: Callable[[bool], None] = lambda succeeded: None
        """Set by the application: told of every commit whether it succeeded."""

    @property
    def _options(self) -> TransportOptions:
        options: TransportOptions = self.app.transport_options
        return options

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def lag(self, tp: Partition, received: int | None = None) -> int | None:
        """Records that the broker has and the application has not, as of the last fetch (an empty one counts).

        Args:
            tp: an assigned partition.
            received: the `next_offset` of the last batch the application took; None where it has taken none
                yet, and then everything counts since the partition was assigned.

        Returns:
            None while it is not known: before the first answer, or for a partition that is not assigned.
        """
        end, start = self._thread.offsets(tp)
        base = start if received is None else received
        return None if end is None or base is None else max(0, end - base)

    def rejoin(self) -> None:
        """Join the group anew: all partitions are revoked and assigned again, these or others."""
        self._thread.rejoin()

    def unknown_topics(self) -> frozenset[str]:
        """Topics that this worker reads and that the broker, when last asked, did not know."""
        return self._thread.unknown_topics({topic for topic, _ in self.ledger.owned()})

    def answered_at(self) -> int | None:
        """When the broker last answered a fetch, with records or without (ms since the epoch); None before that."""
        return self._thread.answered_at()

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Yield one message for each partition that has records, with its `Fetched` as the value.

        Polling goes on while partitions are full, so that the group never takes a slow worker for a dead one.
        """
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        pieces = await self._thread.fetch(self._readable(), self.in_flight.held(), timeout)
        if self.should_stop:
            return
        # What is dropped here is read again: a stopped flow goes on from the committed offsets.
        for fetched in pieces:
            if not self.flow_active or fetched.generation != self.app.consumer_generation_id:
                return
            tp = TP(fetched.topic, fetched.partition)
            self.in_flight.add(fetched)
            self.app.monitor.track_tp_end_offset(tp, fetched.end_offset)
            yield tp, _to_message(tp, fetched)

    def look_again(self) -> None:
        """More partitions have become ready: read them too, without waiting for the running fetch."""
        self._thread.activate(self._readable())

    def _readable(self) -> Active:
        ready = [(tp.topic, tp.partition) for tp in self._get_active_partitions() if self.is_ready(tp)]
        return Active(next(self._choices), frozenset(ready))

    async def force_commit(self, topics: TPorTopicSet | None = None, start_new_transaction: bool = True) -> bool:
        """Commit what has become durable; offsets that fail are offered again at the next commit."""
        offsets = {
            TP(*tp): offset
            for tp, offset in self.ledger.committable().items()
            if topics is None or tp in topics or tp[0] in topics
        }
        # What the streams acknowledged: Faust keeps it for a commit that looks at it.
        self._acked.clear()
        self._acked_index.clear()
        if not offsets:
            return False
        state = self.app.sensors.on_commit_initiated(self)
        committed = await self._commit(offsets)
        if committed:
            self.ledger.mark_committed(offsets)
            self._committed_offset.update(offsets)
            self.app.tables.on_commit(offsets)
            self.app.monitor.on_tp_commit(offsets)
        self.app.sensors.on_commit_completed(self, state)
        self.on_commit(bool(committed))
        return bool(committed)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Messages stand for batches: the offsets between two of them are not missing."""

    async def wait_empty(self) -> None:
        """Before partitions are given up: let the application finish, commit, and forget them. Bounded in time."""
        partitions = self.ledger.owned()
        if not partitions:
            return
        try:
            await self._drain(partitions)
        finally:
            self.ledger.forget(partitions)
            self.in_flight.clear()

    async def _drain(self, partitions: frozenset[Partition]) -> None:
        deadline = self.loop.time() + self._options.drain_timeout
        try:
            if self.on_revoking is not None:
                async with asyncio.timeout_at(deadline):
                    await self.on_revoking(partitions, deadline)
        except TimeoutError:
            logger.warning("Unfinished work on %d partitions will be done again", len(partitions))
        try:
            async with asyncio.timeout(self._options.commit_timeout):
                await self.maybe_wait_for_commit_to_finish()
                await self.commit()
        except TimeoutError:
            logger.warning("The last commit got no answer: some work will be done again")

    async def on_partitions_assigned(self, assigned: Iterable[TP], generation_id: int = 0) -> None:
        """Begin with nothing in flight and nothing durable."""
        self.in_flight.clear()
        self.ledger.own(
            [tuple(tp) for tp in assigned if not self._is_changelog_tp(tp)],
            generation_id,
        )
        self.on_assigned(generation_id)
        await super().on_partitions_assigned(assigned, generation_id)

    async def verify_all_partitions_active(self) -> None:
        """Faust's own check compares acknowledgements; progress is watched by `app.ops`."""

    def _on_durable(self, tp: Partition, offset: int) -> None:
        self.in_flight.release(tp, offset)
        if self.in_flight.is_holding:
            self._thread.hold(self.in_flight.held())


def _to_message(tp: TP, fetched: Fetched) -> ConsumerMessage:
    """A message that stands at the last offset the batch covers."""
    timestamp = fetched.timestamps[-1] / 1000 if fetched.timestamps else 0.0
    return ConsumerMessage(
        fetched.topic,
        fetched.partition,
        fetched.next_offset - 1,
        timestamp,
        0,
        None,
        None,
        fetched,
        None,
        0,
        fetched.size,
        tp,
        generation_id=fetched.generation,
    )
