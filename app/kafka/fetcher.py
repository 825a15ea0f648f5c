"""An aiokafka consumer that hands out columns, evenly over partitions and without waiting on quiet ones."""

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, FetchError, FetchResult
from aiokafka.consumer.subscription_state import Assignment, TopicPartitionState
from aiokafka.errors import ConsumerStoppedError
from aiokafka.protocol.fetch import FetchRequest

from app.kafka.columns import ColumnResult
from app.kafka.fetched import Fetched, Partition
from app.kafka.options import TransportOptions

_UNTAKEN_BACKOFF = 0.005
"""Seconds a fetch waits for the records of the one before to be taken, so that it can ask for all partitions."""


class Active(NamedTuple):
    """The partitions that may be read, and the number of the choice: a higher one was made later."""

    number: int
    partitions: AbstractSet[Partition]


class ColumnFetcher(Fetcher):  # type: ignore[misc]
    """aiokafka's fetcher, read by `fetched`. It lives in the consumer thread's event loop.

    aiokafka has one fetch in flight at a broker, and a partition that became ready after it was sent waits until
    the broker answers: a quiet topic delays a busy one by the whole wait. So a fetch may wait long only when it
    asks for every partition.
    """

    def __init__(self, options: TransportOptions, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._options = options
        self._active: AbstractSet[Partition] = frozenset()
        self._chosen = 0
        self._held: AbstractSet[Partition] = frozenset()
        self._pause_after_data = options.fetch_interval_ms / 1000
        self._next_fetch_at = 0.0
        self._paused_for: tuple[object, ...] = ()
        self._begun: WeakKeyDictionary[TopicPartitionState, int] = WeakKeyDictionary()

    async def fetched(
        self,
        active: "Active",
        held: AbstractSet[Partition],
        generation: int,
        is_flowing: Callable[[], bool],
        timeout: float,
    ) -> list[Fetched]:
        """At most one piece of each partition that is active and not in `held`.

        Waits up to `timeout` seconds for the first of them. Every partition that cannot be given is paused, and
        asked for again as soon as `hold` or another call allows it.

        Taking moves the position, so nothing is taken that the caller would drop: not of an assignment made
        after the call, and not once `is_flowing` denies it.

        Raises:
            ConsumerStoppedError: when the consumer is closed.
            KafkaError: what the broker said of a partition that cannot be read.
        """
        self._choose(active)
        self.hold(held)
        if (assignment := self._assignment) is None:
            await asyncio.wait([self._subscriptions.wait_for_assignment()], timeout=timeout)
            return []
        deadline = self._loop.time() + timeout
        while assignment is self._assignment and is_flowing():
            remaining = deadline - self._loop.time()
            if (pieces := self._take(generation)) or remaining <= 0:
                return pieces
            await self._wait_for_data(assignment, remaining)
        return []

    async def _wait_for_data(self, assignment: Assignment, timeout: float) -> None:
        waiter = self._create_fetch_waiter()
        await asyncio.wait([waiter, assignment.unassign_future], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if self._closed:
            raise ConsumerStoppedError
        if waiter.done():
            waiter.result()
        else:
            waiter.cancel()

    @property
    def _assignment(self) -> Assignment | None:
        subscription = self._subscriptions.subscription
        return subscription.assignment if subscription else None

    def hold(self, held: AbstractSet[Partition]) -> None:
        """Pause these partitions, and resume those that are active and were held before."""
        self._held = held
        self._apply_pauses()
        for waiter in self._fetch_waiters:
            self._notify(waiter)

    def activate(self, active: "Active") -> None:
        """Read these partitions from now on, also in a call of `fetched` that waits."""
        self._choose(active)
        self.hold(self._held)

    def _choose(self, active: "Active") -> None:
        """A choice that was made earlier may come later: calls of two kinds come from another thread."""
        if active.number >= self._chosen:
            self._chosen, self._active = active.number, active.partitions

    def end_offset(self, tp: Partition) -> int | None:
        """The first offset that cannot be read yet, as of the last answer; None before the first one."""
        state = self._state(tp)
        if state is None:
            return None
        end: int | None = state.lso if self._isolation_level == READ_COMMITTED else state.highwater
        return end

    def start(self, tp: Partition) -> int | None:
        """The offset from which this assignment is read; None while it is not known.

        Not the position: that has moved on while a piece is still on its way to the application.
        """
        state = self._state(tp)
        if state is None or not state.has_valid_position:
            return None
        return self._begun.get(state, int(state.position))

    def answered_at(self) -> int | None:
        """When the broker last answered a fetch of any partition of this assignment, in ms since the epoch.

        None before the first answer. An answer that reports an error for every partition is none.
        """
        assignment = self._assignment
        states = [assignment.state_value(tp) for tp in assignment.tps] if assignment else []
        return max((state.timestamp for state in states if state.timestamp is not None), default=None)

    def _state(self, tp: Partition) -> TopicPartitionState | None:
        assignment = self._assignment
        return assignment.state_value(tp) if assignment else None

    def _apply_pauses(self) -> None:
        assignment = self._assignment
        key = (assignment, self._active, self._held)
        if assignment is None or key == self._paused_for:
            return
        self._paused_for = (assignment, frozenset(self._active), frozenset(self._held))
        for tp in assignment.tps:
            state = assignment.state_value(tp)
            if tp in self._active and tp not in self._held:
                state.resume()
            else:
                state.pause()

    def _take(self, generation: int) -> list[Fetched]:
        pieces: list[Fetched] = []
        if self._subscriptions.reassignment_in_progress:
            return pieces
        self._apply_pauses()
        records = size = 0
        for tp in [tp for tp in self._records if tp in self._active and tp not in self._held]:
            result = self._records[tp]
            if isinstance(result, FetchError):
                if pieces:
                    break
                self._drop(tp)
                result.check_raise()
            self._begin(tp)
            piece = result.take(
                self._options.batch_records, self._options.batch_bytes, self.end_offset(tp) or 0, generation
            )
            if result.has_more():
                self._records.move_to_end(tp)  # next time the others go first
            else:
                self._drop(tp)
            if piece is not None:
                pieces.append(piece)
                records, size = records + len(piece), size + piece.size
            if records >= self._options.partition_records or size >= self._options.partition_bytes:
                break
        return pieces

    def _begin(self, tp: Partition) -> None:
        state = self._state(tp)
        if state is not None and state.has_valid_position:
            self._begun[state] = min(state.position, self._begun.get(state, state.position))

    def _drop(self, tp: Partition) -> None:
        del self._records[tp]
        self._notify(self._wait_consume_future)

    def _get_actions_per_node(self, assignment: Assignment) -> tuple[object, ...]:
        complete = not self._held and not self._records and self._active >= assignment.tps
        self._fetch_max_wait_ms = self._options.fetch_wait_ms if complete else self._options.partial_fetch_wait_ms
        actions: tuple[object, ...] = super()._get_actions_per_node(assignment)
        return actions

    async def _proc_fetch_request(self, assignment: Assignment, node_id: int, request: FetchRequest) -> bool:
        try:
            await asyncio.sleep(max(0.0, self._next_fetch_at - self._loop.time()))
        except asyncio.CancelledError:
            return False  # as aiokafka's own does: whoever cancels it awaits it, and the consumer could not stop
        try:
            has_data: bool = await super()._proc_fetch_request(assignment, node_id, request)
        finally:
            # aiokafka notes it a turn of the loop later. If records are taken in that very turn, it finds the node
            # still asked, and rests for its whole time-out.
            self._in_flight.discard(node_id)
        self._next_fetch_at = self._loop.time() + self._pause_after_data if has_data else 0.0
        for tp, result in self._records.items():
            if type(result) is FetchResult:
                self._records[tp] = ColumnResult(result, _UNTAKEN_BACKOFF)
        return has_data


class ColumnConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """An aiokafka consumer whose records are read by `columns.fetched` and not by `getmany`."""

    def __init__(self, options: TransportOptions, **kwargs: object) -> None:
        super().__init__(
            isolation_level=options.isolation_level,
            max_partition_fetch_bytes=options.fetch_bytes,
            fetch_max_wait_ms=options.fetch_wait_ms,
            **kwargs,
        )
        self._options = options
        self._fetcher: Any

    async def start(self) -> None:
        """Connect, with a fetcher of ours in the place of aiokafka's."""
        await super().start()
        await self._fetcher.close()
        self._fetcher = ColumnFetcher(
            self._options,
            self._client,
            self._subscription,
            fetch_min_bytes=self._fetch_min_bytes,
            fetch_max_bytes=self._fetch_max_bytes,
            fetch_max_wait_ms=self._fetch_max_wait_ms,
            max_partition_fetch_bytes=self._max_partition_fetch_bytes,
            check_crcs=self._check_crcs,
            fetcher_timeout=self._consumer_timeout,
            retry_backoff_ms=self._retry_backoff_ms,
            auto_offset_reset=self._auto_offset_reset,
            isolation_level=self._isolation_level,
        )

    @property
    def columns(self) -> ColumnFetcher:
        """The fetcher.

        Raises:
            ConsumerStoppedError: when the consumer is not running.
        """
        if self._closed or not isinstance(self._fetcher, ColumnFetcher):
            raise ConsumerStoppedError
        return self._fetcher
