"""At least once: outputs go out at once, by themselves; rows follow in transactions, input offsets among them.

So a consumer sees outputs without waiting for a commit, and sees those of steps that were cut short twice. State is as
exact as with exactly once, by the same means: a transaction for each input partition, behind a producer that has
fenced whoever had the partition before. A worker that slept through its session cannot write over newer rows.

Rows wait for the outputs of their events: a row that is recovered while outputs are missing would have its events taken
for repetitions, and their outputs never sent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from app.kafka.producer import Send
from app.state.held import HeldPartitions
from app.worker.delivery import Clocks, Offsets, Step
from app.worker.exactly_once import ExactlyOnce, Producers
from app.worker.observer import Observer

LINGER_S = 0.05
"""Steps gather for so long before a transaction. Nobody waits for it, and of a user's rows only the last is written."""

STEPS_BEING_SENT = 4
"""Steps whose outputs the broker has not acknowledged: behind a slow broker the next ones gather to fewer, larger."""


class Sender(Protocol):
    """What hands records to the broker, in order per partition; see ``app.kafka.producer.Producer``."""

    async def send_records(self, send: Send) -> Awaitable[int]:
        """Returns what resolves, once all are acknowledged, to the offset after the last."""
        ...


class AtLeastOnce(ExactlyOnce):
    """See ``app.worker.delivery.Delivery``.

    Args:
        sender: of outputs.
        held, offsets, producers, changelog, observer, clocks, give_up: see ``ExactlyOnce``.
    """

    linger_s = LINGER_S

    def __init__(
        self,
        sender: Sender,
        held: HeldPartitions,
        offsets: Offsets,
        producers: Producers,
        changelog: str,
        observer: Observer,
        clocks: Clocks,
        give_up: Callable[[], None],
    ) -> None:
        super().__init__(held, offsets, producers, changelog, observer, clocks, give_up)
        self._sender = sender
        self._sending = 0
        self._sent: asyncio.Task[list[Awaitable[int]]] | None = None
        self._acknowledged: asyncio.Task[bool] | None = None

    async def deliver(self, step: Step) -> None:
        """Send a step's outputs, after those of the steps before; once acknowledged it waits for a transaction."""
        self._begin(step)
        self._sending += 1
        self._sent = asyncio.create_task(self._send(step, self._sent))
        self._acknowledged = asyncio.create_task(self._acknowledge(step, self._sent, self._acknowledged))

    async def drain(self) -> None:
        """Until every step's outputs are acknowledged and nothing waits for a transaction, or something failed."""
        while self._acknowledged is not None and not self._acknowledged.done():
            await asyncio.wait([self._acknowledged])
        await super().drain()

    def _is_full(self) -> bool:
        return self._sending >= STEPS_BEING_SENT or super()._is_full()

    def _outputs(self, partition: int, steps: Sequence[Step]) -> list[Send]:
        """None: the broker has them."""
        return []

    async def _send(self, step: Step, before: "asyncio.Task[list[Awaitable[int]]] | None") -> list[Awaitable[int]]:
        """Hand a step's outputs over, after those of the step before; a partition being sent delays no other."""
        if before is not None:
            await before
        now_ms = self._clocks.now_ms()
        sends = [
            Send(out.topic, out.partition, now_ms, out.keys, out.values, out.headers) for out in step.work.outgoing
        ]
        return await asyncio.gather(*map(self._sender.send_records, sends))

    async def _acknowledge(
        self, step: Step, sent: "asyncio.Task[list[Awaitable[int]]]", before: "asyncio.Task[bool] | None"
    ) -> bool:
        """Once a step's outputs are acknowledged, and the step before waits for its transaction, so does this.

        Returns whether it does: behind a step that could not be sent none does, and the worker ends.
        """
        try:
            await asyncio.gather(*await sent)
        except Exception as error:
            self._end(error)
            return False
        finally:
            self._sending -= 1
            self._wake()
        if before is not None and not await before:
            return False
        self._enter(step)
        return True
