"""The course of a world: faults for a while, then healing, then more input, then the verdict."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.simulation import verdict
from tests.simulation.loop import Spinning
from tests.simulation.nature import Nature
from tests.simulation.worker import Parts
from tests.simulation.world import World

_ROUNDS_OF_HEALING = 400
_REQUESTS_OF_A_ROUND = 30  # some are asked again until a transaction has ended


@dataclass(frozen=True)
class Result:
    """Of one run: what is wrong at its end, and what happened until then."""

    problems: list[str]
    trace: list[str]
    faults: Counter[str]


class Play(World):
    """A world from its start to its end."""

    def run(self) -> Result:
        """From the start to the verdict."""
        with self.clients.in_place():
            try:
                for name in self.disks:
                    self._start(name)
                for _ in range(self.nature.actions):
                    self._act()
                problems = self._heal() or self._go_on() or list(self._verdict())
            except Spinning as error:
                for worker in self.workers.values():
                    worker.loop.close()
                return Result([repr(error)], self.trace, self.faults)
            for worker in self.workers.values():
                worker.die()
        return Result(problems, self.trace, self.faults)

    def _act(self) -> None:
        possible = self._possible()
        kinds = [kind for kind in possible if possible[kind] and self.nature.weights[kind]]
        if not kinds:
            return
        (kind,) = self.rng.choices(kinds, [self.nature.weights[kind] for kind in kinds])
        self.rng.choice(possible[kind])()
        self._bury()

    def _heal(self) -> list[str]:
        """No more faults: everybody is there, everything is answered, all input is read to its end."""
        self._note("the world heals")
        self.nature = Nature(dict.fromkeys(self.nature.weights, 1.0), 0, 0.0, 0.0, 0.0, fetches=(100,))
        for worker in [worker for worker in self.workers.values() if worker.is_paused]:
            self._wake(worker)
        return self._read_to_the_end()

    def _go_on(self) -> list[str]:
        """More input in a healed world, where at most a transaction or two fail.

        A request that a dead worker had sent may have fenced a living one, which finds out with its next transaction.
        """
        self._note("more input")
        self.nature = replace(self.nature, fetches=(3,))
        generation, ended = self.group.generation, self.faults["a process ended"]
        self._append(self.expected.first, {tp: len(log) for tp, log in self.expected.logs.items()})
        for worker in self.workers.values():
            worker.hear_of_new_input()
        if problems := self._read_to_the_end():
            return problems
        if self.group.generation > generation + 2 or self.faults["a process ended"] > ended:
            return ["something failed in a healed world"]
        return []

    def _read_to_the_end(self) -> list[str]:
        for _ in range(_ROUNDS_OF_HEALING):
            self._bury()
            if self._is_at_end():
                return []
            possible = self._possible()
            for kind in ("finish", "restart", "tell", "complete", "fetch", "commit"):
                for action in possible[kind]:
                    action()
                if possible[kind] and kind in ("restart", "tell", "complete"):
                    break
            for _ in range(_REQUESTS_OF_A_ROUND):
                if self.wire.requests:
                    self._broker()
            for worker in list(self.workers.values()):
                worker.loop.settle(seconds=0.2)
        return [f"not at the end after {_ROUNDS_OF_HEALING} rounds: {dict(self.kafka.offsets)}"]

    def _is_at_end(self) -> bool:
        return (
            not self.group.is_rebalancing
            and not self.wire.requests
            and len(self.workers) == len(self.disks)
            and not list(verdict.wrong_offsets(self.kafka, self.expected))
            and all(worker.name in self.group.members for worker in self.workers.values())
            and not any(worker.is_assigning for worker in self.workers.values())
        )

    def _verdict(self) -> Iterator[str]:
        workers = list(self.workers.values())
        if self.guarantee == "exactly_once":
            yield from verdict.wrong_outputs(self.kafka, self.expected)
        else:
            most = sum(self.faults.values()) * 5 * self.step_records * 4
            yield from verdict.wrong_outputs_after_deduplication(self.kafka, self.expected, most)
        yield from verdict.wrong_state(self.kafka, self.expected, workers)
        yield from verdict.wrong_offsets(self.kafka, self.expected)


def play(seed: int, guarantee: str, parts: Parts | None = None) -> Result:
    """The world of a seed, from its start to the verdict."""
    return Play(seed, guarantee, parts or Parts()).run()
