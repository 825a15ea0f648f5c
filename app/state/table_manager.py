"""Recovery of column tables in the place of Faust's, through the app setting `TableManager`.

Faust's own recovery subscribes to the changelog and is known to stop short or to hang (see `app.state.recovery`).
Here Faust's consumer never reads a changelog: after every rebalance each table is assigned its partitions. Streams go
on at once with those that it kept; what it gained it reads with a consumer of its own, and only then are these fetched.
All of it happens in one task, so that a rebalance during a recovery first ends that recovery and then begins the next.
"""

import asyncio
from collections.abc import Collection

from aiokafka.errors import IllegalStateError
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from faust.types import TP
from faust.types.tables import CollectionT
from mode import Service

from app.state.table import ColumnTable


class ColumnRecovery(Recovery):  # type: ignore[misc]
    """Assigns partitions to the tables, then lets the streams go on."""

    _assigned: frozenset[TP] = frozenset()

    def on_partitions_revoked(self, revoked: Collection[TP]) -> None:
        """Nothing yet: which partitions are lost shows in the next assignment."""

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Have the running recovery end and the next one begin."""
        if generation_id != self.app.consumer_generation_id:
            self.log.info("Generation %s is over: waiting for the next assignment", generation_id)
            return
        self._assigned = frozenset(assigned)
        self._generation_id = generation_id
        self.signal_recovery_start.set()

    @Service.task  # type: ignore[untyped-decorator]
    async def _restart_recovery(self) -> None:
        while not await self.wait_for_stopped(self.signal_recovery_start):
            self.signal_recovery_start.clear()
            generation = self._generation_id
            self._set_recovery_started()
            assigning = asyncio.ensure_future(self._assign_tables(self._assigned, generation))
            recovery = asyncio.ensure_future(self._recover_tables(assigning))
            try:
                await self._wait(assigning)
                self._set_recovery_ended()
                await self._resume_streams(generation)
                await self._wait(recovery)
            except (RebalanceAgain, IllegalStateError):
                self.log.info("Rebalanced again during recovery")
            except ServiceStopped:
                break
            except asyncio.CancelledError:
                if recovery.cancelled():  # by something it awaited: a worker that waits for ever is worse than none
                    raise RuntimeError("the recovery was cancelled from within") from None
                raise
            finally:
                for task in (recovery, assigning):
                    task.cancel()
                await asyncio.wait([recovery, assigning])

    async def _assign_tables(self, assigned: Collection[TP], generation: int) -> dict[ColumnTable, list[int]]:
        self.app.consumer.is_ready = self._is_ready
        return {table: await table.assign(assigned, generation) for table in self.tables.values()}

    async def _recover_tables(self, assigning: "asyncio.Future[dict[ColumnTable, list[int]]]") -> None:
        for table, missing in (await asyncio.shield(assigning)).items():
            await table.recover(missing)
            await table.call_recover_callbacks()
        self.app.consumer.look_again()

    def _is_ready(self, tp: TP) -> bool:
        return all(tp.partition in table.held.stores for table in self.tables.values())

    @Service.task  # type: ignore[untyped-decorator]
    async def _slurp_changelogs(self) -> None:
        """Faust's reader of changelogs has nothing to read here."""

    @Service.task  # type: ignore[untyped-decorator]
    async def _publish_stats(self) -> None:
        """Progress is told by the tables."""


class ColumnTableManager(TableManager):  # type: ignore[misc]
    """The manager of an app whose tables are all column tables."""

    _recovery: ColumnRecovery | None = None

    @property
    def recovery(self) -> ColumnRecovery:
        """The service that recovers the tables."""
        if self._recovery is None:
            self._recovery = ColumnRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery

    def add(self, table: CollectionT) -> CollectionT:
        """Add a table before the worker starts.

        Raises:
            TypeError: a table of Faust's own, which would not be recovered here.
        """
        if not isinstance(table, ColumnTable):
            raise TypeError(f"table {table.name}: this app recovers column tables and no others")
        return super().add(table)

    async def on_start(self) -> None:
        """Start the tables, then recovery. (Faust waits a second for late tables; here there are none.)"""
        await self._update_channels()
        await self.recovery.start()

    async def _update_channels(self) -> None:
        self._tables_finalized.set()
        for table in self.values():
            await table.maybe_start()
        self._tables_registered.set()
