"""Workers with a deliberate fault: `python -m tests.broker.mutants NAME …`, with the flags of ``sluice worker``."""

import os
import sys
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from app.kafka.coordinator import TransactionCoordinator
from app.kafka.producer import Send, build_batches
from app.kafka.transactions import TransactionalProducer, TransactionalProducers
from app.torture import victim
from app.worker import exactly_once, gathered


def acknowledge_before_delivery() -> AbstractContextManager[Any]:
    """Rows, with the input offsets in them, are committed before the outputs of that input."""
    commit, end = TransactionalProducer.commit, TransactionCoordinator.commit

    async def early(self: TransactionalProducer, sends: Sequence[Send]) -> list[int]:
        *outputs, rows = sends
        await self._coordinator.add_partitions(self._epoch, [rows.tp])
        written = await self._write([rows.tp], [build_batches(self._options, rows, transactional=True)])
        await end(self._coordinator, self._epoch)  # past the window, which is for what follows
        return [*(await commit(self, outputs) if outputs else []), written[rows.tp]]

    return patch.object(TransactionalProducer, "commit", early)


def drop_the_last_record() -> AbstractContextManager[Any]:
    """Of the outputs of a transaction."""
    sends = gathered.gathered_outputs

    def shorter(*args: Any) -> list[Send]:  # noqa: ANN401 - as they come
        *others, last = sends(*args) or [Send("", 0, 0, [], [])]
        if len(last.keys) < 2:
            return others
        headers = None if last.headers is None else last.headers[:-1]
        return [
            *others,
            Send(last.topic, last.partition, last.timestamp, last.keys[:-1], last.values[:-1], headers),
        ]

    return patch.object(exactly_once, "gathered_outputs", shorter)


def a_transactional_id_of_ones_own() -> AbstractContextManager[Any]:
    """Each process writes under an id of its own, so that taking a partition over fences nobody."""
    start = TransactionalProducers.start

    async def apart(self: TransactionalProducers, partitions: Collection[int]) -> dict[int, TransactionalProducer]:
        own = TransactionalProducers(self._broker, f"{self._group}-{os.getpid()}", self._options)
        return await start(own, partitions)

    return patch.object(TransactionalProducers, "start", apart)


MUTATIONS = {
    mutation.__name__: mutation
    for mutation in (acknowledge_before_delivery, drop_the_last_record, a_transactional_id_of_ones_own)
}

if __name__ == "__main__":
    with MUTATIONS[sys.argv[1]]():  # before the windows, so that what it keeps of the original has none
        sys.exit(victim.run(sys.argv[2:]))
