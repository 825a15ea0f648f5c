"""An event loop that runs until nothing can go on, in a time of its own."""

import asyncio
from typing import Any

_MOST_TURNS = 5_000


class Spinning(RuntimeError):
    """The worker goes on and on though nothing comes in."""


class SimulatedLoop(asyncio.BaseEventLoop):
    """A loop without files, threads or a clock: time passes when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._turns = 0
        self._selector = self
        self.set_exception_handler(lambda loop, context: None)  # of tasks that end with the worker

    def time(self) -> float:
        return self._now

    def settle(self, seconds: float = 0.0) -> None:
        """Let time pass, and run until every task waits for something from outside or for more time to pass.

        Raises:
            Spinning: that never comes to be.
        """
        self._now += seconds
        self._turns = 0
        self.run_forever()

    def select(self, timeout: float | None) -> list[Any]:
        """Called by the base class when it looks for what files have; ``timeout`` is 0 while callbacks are ready."""
        self._turns += 1
        if timeout != 0:
            self.stop()
        elif self._turns > _MOST_TURNS:
            raise Spinning(f"{_MOST_TURNS} turns of the loop without waiting for anything")
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no files."""

    def _write_to_self(self) -> None:
        """There is no other thread to be woken by."""
