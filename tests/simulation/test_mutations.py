"""A test that cannot fail is none: each of these faults, put into the worker, is found by the simulation."""

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager as Context
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from unittest import mock

import pytest

from app.kafka.fetched import Fetched
from app.kafka.transactions import TransactionalProducer, TransactionalProducers
from app.state.columns import Change
from app.worker import exactly_once, gathered
from app.worker.at_least_once import AtLeastOnce
from app.worker.delivery import Step
from app.worker.exactly_once import ExactlyOnce, _Lane
from app.worker.processor import Processor
from tests.simulation.play import play
from tests.simulation.worker import Parts

_SEEDS = 100
_AS_IT_IS = Parts()


class AcknowledgesBeforeDelivery(AtLeastOnce):
    async def _acknowledge(self, step: Step, sent: object, before: object) -> bool:
        self._enter(step)
        return True


class WritesTheStoreBeforeTheCommit(ExactlyOnce):
    async def _commit(self, partition: int, lane: _Lane) -> None:
        change = gathered.latest_rows(partition, [entry.step for entry in lane.waiting])
        store = self._held.stores[partition]
        store.write(change.keys, change.values, store.offset or 0)
        await super()._commit(partition, lane)


class KeepsWhatWaitsWhenPartitionsAreRevoked(Processor):
    def _forget_waiting(self) -> None:
        """It goes on with what it has."""


class DropsTheLastRecordOfABatch(Processor):
    def feed(self, fetched: Fetched) -> None:
        keys, values, offsets = fetched.keys[:-1], fetched.values[:-1], fetched.offsets[:-1]
        headers = fetched.headers[:-1] if fetched.headers else None
        times = fetched.timestamps[:-1]
        super().feed(replace(fetched, keys=keys, values=values, offsets=offsets, timestamps=times, headers=headers))


class ReusesTheIdOfAnotherPartition(TransactionalProducers):
    async def start(self, partitions: Collection[int]) -> dict[int, TransactionalProducer]:
        made = {
            partition: TransactionalProducer(self._broker, f"{self._group}-0", self._options)
            for partition in partitions
        }
        for producer in made.values():
            await producer.start()
        return made


@contextmanager
def skipping_a_changelog_record() -> Iterator[None]:
    """Of every third change the first row is left out."""
    merged, count = gathered.latest_rows, 0

    def skipping(partition: int, steps: list[Step]) -> Change:
        nonlocal count
        count += 1
        change = merged(partition, steps)
        skipped = 1 if count % 3 == 0 else 0
        return Change(partition, change.keys[skipped:], change.values[skipped:])

    with mock.patch.object(exactly_once, "latest_rows", skipping):
        yield


@dataclass(frozen=True)
class Mutation:
    """A fault, and the guarantee under which it is made."""

    guarantee: str
    parts: Parts = _AS_IT_IS
    patched: Callable[[], Context[None]] = nullcontext


MUTATIONS = {
    "acknowledge before delivery": Mutation("at_least_once", Parts(at_least_once=AcknowledgesBeforeDelivery)),
    "skip a changelog record": Mutation("exactly_once", patched=skipping_a_changelog_record),
    "write the store before the commit": Mutation("exactly_once", Parts(exactly_once=WritesTheStoreBeforeTheCommit)),
    "keep what is in flight on revoke": Mutation(
        "exactly_once", Parts(processor=KeepsWhatWaitsWhenPartitionsAreRevoked)
    ),
    "keep what is in flight on revoke, at least once": Mutation(
        "at_least_once", Parts(processor=KeepsWhatWaitsWhenPartitionsAreRevoked)
    ),
    "reuse a transactional id": Mutation("exactly_once", Parts(producers=ReusesTheIdOfAnotherPartition)),
    "drop the last record of a batch": Mutation("exactly_once", Parts(processor=DropsTheLastRecordOfABatch)),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_fault_put_in_on_purpose_is_found(name: str) -> None:
    mutation = MUTATIONS[name]
    for seed in range(_SEEDS):
        with mutation.patched():
            problems = play(seed, mutation.guarantee, mutation.parts).problems
        if problems:
            print(f"{name}: found by seed {seed}: {problems[0][:200]}")  # noqa: T201 - shown with pytest -s
            return
    pytest.fail(f"{name}: none of {_SEEDS} seeds shows it")
