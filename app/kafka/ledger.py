"""The commit barrier: how far each input partition is durable, and how far that has been committed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from app.kafka.fetched import Partition


class Ledger:
    """Offsets that may be committed: those whose outputs and changelog records the broker has acknowledged.

    Only `mark_durable` moves them, never an acknowledgement of the stream: an agent that fails, skips or is
    cancelled commits nothing. All offsets are *next* offsets: everything below is meant.

    Not thread safe: it belongs to the event loop of the worker.

    Args:
        on_durable: called with a partition and its offset whenever that has moved.
    """

    def __init__(self, on_durable: Callable[[Partition, int], None] | None = None) -> None:
        self._accounts: dict[Partition, _Account] = {}
        self._on_durable = on_durable

    def own(self, partitions: Iterable[Partition], generation: int) -> None:
        """Begin accounts for newly assigned partitions; what was known of them is forgotten."""
        for tp in partitions:
            self._accounts[_plain(tp)] = _Account(generation)

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Drop revoked partitions: what becomes durable later is for the next owner to find out."""
        for tp in partitions:
            self._accounts.pop(_plain(tp), None)

    def mark_durable(self, tp: Partition, next_offset: int, generation: int | None = None) -> None:
        """Say that every output and changelog record of the inputs before `next_offset` is acknowledged.

        Ignored for a partition that is not owned, and for a `generation` (where given) that is not the
        one it was assigned in: the work of an earlier generation says nothing about what is read now.
        """
        account = self._accounts.get(_plain(tp))
        if account is None or generation not in (None, account.generation):
            return
        if account.durable is not None and next_offset <= account.durable:
            return
        account.durable = next_offset
        if self._on_durable:
            self._on_durable(_plain(tp), next_offset)

    def owned(self) -> frozenset[Partition]:
        """The partitions that have accounts."""
        return frozenset(self._accounts)

    def durable(self, tp: Partition) -> int | None:
        """The offset below which everything is durable; None while nothing has become so."""
        account = self._accounts.get(_plain(tp))
        return account.durable if account else None

    def committable(self) -> dict[Partition, int]:
        """The offsets that are durable and not yet committed."""
        return {
            tp: account.durable
            for tp, account in self._accounts.items()
            if account.durable is not None and account.durable != account.committed
        }

    def mark_committed(self, offsets: Mapping[Partition, int]) -> None:
        """Say that the broker has these offsets; those never marked are offered again by `committable`."""
        for tp, offset in offsets.items():
            if account := self._accounts.get(_plain(tp)):
                account.committed = offset


@dataclass(slots=True)
class _Account:
    """What is durable of one partition, and what of that the broker has."""

    generation: int
    durable: int | None = None
    committed: int | None = None


def _plain(tp: Partition) -> Partition:
    return (tp[0], tp[1])
