"""The producer of a run: rounds of events at a rate, each acknowledged before the next goes out.

So what one topic has of a moment, the others have too, but for a round: no restart of the broker can make the orders of
a partition overtake its clicks by more than that.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator

from aiokafka import AIOKafkaProducer

from app.torture.visits import Sent, Visits

_ROUND_S = 0.1
_PATIENCE_MS = 120_000


class Producing:
    """Sends what ``visits`` yields to ``broker`` until it is told to finish.

    Attributes:
        acknowledged: events that the broker has, by topic.
        seconds: that it has sent for.
    """

    def __init__(self, broker: str, visits: Visits, rate: int) -> None:
        self._broker = broker
        self._visits = visits
        self._rate = rate
        self._finishing = asyncio.Event()
        self.acknowledged: Counter[str] = Counter()
        self.seconds = 0.0

    def finish(self) -> None:
        """Begin no more visits."""
        self._finishing.set()

    async def run(self) -> None:
        """Send until told to finish, then the rest of what was begun.

        Raises:
            KafkaError: the broker was away for minutes.
        """
        async with AIOKafkaProducer(
            bootstrap_servers=self._broker,
            enable_idempotence=True,
            request_timeout_ms=_PATIENCE_MS,
            linger_ms=5,
            max_batch_size=512 << 10,
        ) as producer:
            turns, started = _turns(self._rate), time.monotonic()
            while not (self._finishing.is_set() and self._visits.are_over):
                await self._send(producer, self._visits.take(next(turns), begins=not self._finishing.is_set()))
                self.seconds = time.monotonic() - started
                await asyncio.sleep(_ROUND_S)
            await self._send(producer, self._visits.last())

    async def _send(self, producer: AIOKafkaProducer, events: list[Sent]) -> None:
        sent = [
            await producer.send(one.topic, one.value, one.key, one.partition, timestamp_ms=one.ts) for one in events
        ]
        await asyncio.gather(*sent)
        self.acknowledged.update(one.topic for one in events)


def _turns(rate: int) -> Iterator[int]:
    """The turns that have become due since the last look; what an absent broker kept back is not made up for."""
    started, taken = time.monotonic(), 0
    while True:
        due = int((time.monotonic() - started) * rate)
        yield min(due - taken, rate)
        taken = due
