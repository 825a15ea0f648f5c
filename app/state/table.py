"""A Faust table whose rows are columns.

Faust knows the table: its changelog's name, its assignment, `app.tables`, and a mapping to look rows up in. It
does not write it, a key at a time, and does not recover it: see `app.state.table_manager`.
"""

from collections.abc import Callable, Collection, Iterator, MutableMapping, Sequence

import faust
from faust.stores.base import Store
from faust.types import TP

from app.kafka.patience import until_done
from app.state.changelog import Changelog, common_partitions, ensure_changelog
from app.state.held import HeldPartitions
from app.state.recovery import Progress, RecoveryReport, recover
from app.state.restoring import Rows
from app.state.store import PartitionStore, Stores

_BATCHES = "rows of a column table are written by whole batches, with `table.held.write`"


class PartitionsApart(Exception):
    """The input topics' partitions of one number went to different workers."""


class StoredRows(MutableMapping[bytes, bytes]):
    """What is on disk of the partitions held, by key; it cannot be changed here."""

    def __init__(self, held: HeldPartitions) -> None:
        self._held = held

    def __getitem__(self, key: bytes) -> bytes:
        for store in self._held.stores.values():
            if (value := store.get(key)) is not None:
                return value
        raise KeyError(key)

    def __iter__(self) -> Iterator[bytes]:
        for store in self._held.stores.values():
            for keys, _ in store.scan():
                yield from keys

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __setitem__(self, key: bytes, value: bytes) -> None:
        raise TypeError(_BATCHES)

    def __delitem__(self, key: bytes) -> None:
        raise TypeError(_BATCHES)


class ColumnStore(Store):  # type: ignore[misc]
    """A column table for Faust: where the rows on disk are. Registered in `faust.stores` as `columns`."""

    table: "ColumnTable"

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.data = StoredRows(self.table.held)

    def persisted_offset(self, tp: TP) -> int | None:
        """The next changelog offset to read, or None where the partition is not held."""
        store = self.table.held.stores.get(tp.partition)
        return store.offset if store else None

    async def need_active_standby_for(self, tp: TP) -> bool:
        """There are no standbys."""
        return False

    def reset_state(self) -> None:
        """Refused: the directories are this worker's own."""
        raise NotImplementedError("to forget the local state, stop the worker and delete its state directory")

    def apply_changelog_batch(self, *_: object, **__: object) -> None:
        """Refused: Faust does not recover this table."""
        raise TypeError(_BATCHES)

    async def backup_partition(self, *_: object, **__: object) -> None:
        """Refused: the changelog is the copy."""
        raise NotImplementedError("the changelog is the copy of this table")

    def restore_backup(self, *_: object, **__: object) -> None:
        """Refused: the changelog is the copy."""
        raise NotImplementedError("the changelog is the copy of this table")

    async def on_stop(self) -> None:
        """Close what is open."""
        await self.table.held.close()


class ColumnTable(faust.Table):  # type: ignore[misc]
    """Rows in columns, partitioned like the input topics.

    The app needs `TableManager=ColumnTableManager`; add the table with `app.tables.add(table)`.

    Args:
        app: its id is the group in the changelog's name.
        name: of the table.
        rows: the live rows.
        stores: this worker's directory.
        sources: the input topics; they have equal numbers of partitions.
        broker: `host:port`, several with commas.
        now_ms: the clock, in ms since the epoch.
        on_progress: called while the changelog is being read.
        on_recovered: called with the report of every recovery.
    """

    def __init__(
        self,
        app: faust.App,
        *,
        name: str,
        rows: Rows,
        stores: Stores,
        sources: Sequence[str],
        broker: str,
        now_ms: Callable[[], int],
        on_progress: Callable[[Progress], None] = lambda progress: None,
        on_recovered: Callable[[RecoveryReport], None] = lambda report: None,
    ) -> None:
        super().__init__(app, name=name, key_type=bytes, value_type=bytes)
        self.held = HeldPartitions(rows, self._recover)
        self.changelog: Changelog | None = None
        self._rows = rows
        self._stores = stores
        self._sources = tuple(sources)
        self._broker = broker
        self._now_ms = now_ms
        self._on_progress = on_progress
        self._on_recovered = on_recovered

    async def on_start(self) -> None:
        """Make or check the changelog topic.

        Raises:
            ChangelogMismatch: input topics or changelog do not fit.
        """
        await self.add_runtime_dependency(self.data)
        partitions = await common_partitions(self._broker, self._sources)
        self.changelog = await ensure_changelog(self._broker, self.changelog_topic_name, partitions)

    async def assign(self, assigned: Collection[TP], generation: int) -> list[int]:
        """Hold none but the partitions that the worker has been assigned of the input topics in this generation.

        Returns:
            Those that are to be recovered.

        Raises:
            PartitionsApart: the topics' partitions differ, so that events of one key would meet different rows.
        """
        by_topic = {topic: {tp.partition for tp in assigned if tp.topic == topic} for topic in self._sources}
        partitions = set().union(*by_topic.values())
        if any(found != partitions for found in by_topic.values()):
            raise PartitionsApart(
                f"table {self.name}: this worker has different partitions of its input topics: "
                + ", ".join(f"{topic} {sorted(found)}" for topic, found in by_topic.items())
                + "; all workers of the group must read all of them"
            )
        return await self.held.keep(partitions, generation)

    async def recover(self, missing: Collection[int]) -> None:
        """Recover partitions, while work on the others goes on; again, where the broker goes away meanwhile.

        Raises:
            Exception: what `app.state.recovery.recover` raises.
        """
        if missing:
            self._on_recovered(await until_done(lambda: self.held.recover(missing), "the recovery of state"))

    async def _recover(self, partitions: Collection[int]) -> tuple[dict[int, PartitionStore], RecoveryReport]:
        assert self.changelog is not None, "the table has not started"
        return await recover(
            partitions,
            self._stores,
            self._rows,
            self.changelog,
            {"bootstrap_servers": self._broker},
            now_ms=self._now_ms,
            on_progress=self._on_progress,
        )

    def _new_store(self) -> ColumnStore:
        return ColumnStore("columns://", self.app, self, table_name=self.name)

    def on_key_set(self, key: bytes, value: bytes) -> None:
        """Refused: see `ColumnStore`."""
        self.data[key] = value

    def on_key_del(self, key: bytes) -> None:
        """Refused: see `ColumnStore`."""
        del self.data[key]
