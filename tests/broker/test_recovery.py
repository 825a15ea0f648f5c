"""Recovery from every shape a changelog takes, with a fresh disk and with a warm one."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from app.state.changelog import Changelog, ChangelogMismatch, changelog_topic, common_partitions, ensure_changelog
from app.state.recovery import Progress, RecoveryReport, RecoveryStalled, UnreadableRows, recover
from app.state.restoring import PartitionReport, Rebuilt
from app.state.store import StoreLocked, Stores
from tests.broker import changelogs as log
from tests.broker.changelogs import live, rows, tombstones
from tests.state.columns import DictRows, RowFormat

pytestmark = pytest.mark.broker

NOW = 1_800_000_000_000
HOUR_MS = 3_600_000
DELETING = {"cleanup.policy": "compact,delete", "retention.ms": "-1"}


class Case:
    """One changelog with one partition, and a disk that lasts over restarts."""

    def __init__(self, kafka: str, folder: Path) -> None:
        self.kafka = kafka
        self.folder = folder
        self.topic = changelog_topic(f"test-{uuid.uuid4().hex[:8]}", "sessions")
        self.now = NOW
        self.rows = DictRows()
        self.format: RowFormat | None = None
        self.progress: list[Progress] = []

    def stores(self, disk: str) -> Stores:
        return Stores(self.folder / disk, lambda: self.now)

    async def recover(self, disk: str, stalled_s: float = 20.0) -> PartitionReport:
        """Restart: read everything back into empty rows, then close the store again."""
        return (await self.recover_all(disk, [0], stalled_s)).partitions[0]

    async def recover_all(self, disk: str, partitions: Sequence[int], stalled_s: float = 20.0) -> RecoveryReport:
        self.rows = DictRows(self.format)
        stores, report = await recover(
            partitions,
            self.stores(disk),
            self.rows,
            Changelog(self.topic, len(partitions), 24 * HOUR_MS),
            {"bootstrap_servers": self.kafka},
            now_ms=lambda: self.now,
            on_progress=self.progress.append,
            stalled_s=stalled_s,
        )
        for partition, store in stores.items():
            on_disk = {k: v for ks, vs in store.scan() for k, v in zip(ks, vs, strict=True)}
            assert on_disk == self.rows.of(partition), "local live keys are those in memory"
            store.close()
        return report


@pytest.fixture
def case(kafka: str, tmp_path: Path) -> Case:
    return Case(kafka, tmp_path)


Write = Callable[[Case], Awaitable[None]]


async def nothing(case: Case) -> None:
    return


def append(records: log.Records) -> Write:
    return lambda case: log.write(case.kafka, case.topic, records)


def in_transaction(records: log.Records, *, abort: bool) -> Write:
    return lambda case: log.write_transaction(case.kafka, case.topic, records, abort=abort)


SHAPES: dict[str, tuple[Write, Write, dict[bytes, bytes]]] = {
    "empty": (nothing, nothing, {}),
    "written, then quiet": (append(rows(0, 50)), nothing, live(rows(0, 50))),
    "written twice": (append(rows(0, 50)), append(rows(25, 80, "b")), live(rows(0, 50), rows(25, 80, "b"))),
    "only tombstones": (append(tombstones(0, 20)), append(tombstones(0, 20)), {}),
    "tombstones for everything": (append(rows(0, 50)), append(tombstones(0, 50)), {}),
    "rows come back": (append(tombstones(0, 50)), append(rows(0, 50)), live(rows(0, 50))),
    "commit marker at the end": (
        append(rows(0, 50)),
        in_transaction(rows(10, 60, "b"), abort=False),
        live(rows(0, 50), rows(10, 60, "b")),
    ),
    "aborted batch at the end": (
        append(rows(0, 50)),
        in_transaction(rows(10, 60, "b"), abort=True),
        live(rows(0, 50)),
    ),
    "nothing but aborted": (
        in_transaction(rows(0, 5), abort=True),
        in_transaction(tombstones(0, 5), abort=True),
        {},
    ),
    "commit, then abort": (
        in_transaction(rows(0, 50), abort=False),
        in_transaction(tombstones(0, 50), abort=True),
        live(rows(0, 50)),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_are_right_and_position_reaches_the_end(case: Case, shape: str) -> None:
    first, then, expected = SHAPES[shape]

    async def scenario() -> None:
        await log.make(case.kafka, case.topic)
        await first(case)
        before = await case.recover("warm")
        await then(case)

        warm = await case.recover("warm")
        assert case.rows.of(0) == expected
        assert warm.start == before.end

        fresh = await case.recover("fresh")
        assert case.rows.of(0) == expected
        assert (fresh.start, fresh.end) == (0, warm.end)

        again = await case.recover("warm")
        assert case.rows.of(0) == expected
        assert (again.records, again.start, again.end) == (0, fresh.end, fresh.end)
        assert {before.rebuilt, warm.rebuilt, fresh.rebuilt, again.rebuilt} == {None}

    asyncio.run(scenario())


@pytest.mark.slow
@pytest.mark.parametrize("end", ["commit marker", "aborted batch", "row"])
def test_holes_left_by_compaction_up_to_the_end(case: Case, end: str) -> None:
    async def scenario() -> None:
        quick = {"segment.ms": "1", "min.cleanable.dirty.ratio": "0.001", "delete.retention.ms": "0"}
        await log.make(case.kafka, case.topic, changed=quick)
        await append(rows(0, 50))(case)
        await case.recover("warm early")
        await append(rows(0, 50, "b"))(case)
        await case.recover("warm late")
        await append(tombstones(0, 40))(case)
        expected = live(rows(40, 50, "b"))
        if end == "row":
            await append(rows(90, 91))(case)
            expected |= live(rows(90, 91))
        else:
            await in_transaction(rows(0, 1), abort=end == "aborted batch")(case)
            expected |= live(rows(0, 1)) if end == "commit marker" else {}
        await log.until_compacted(case.kafka, case.topic, most=len(expected) + 1 + 40)
        for disk in ("fresh", "warm early", "warm late", "warm late"):
            report = await case.recover(disk)
            assert case.rows.of(0) == expected, disk
            assert report.rebuilt is None
        assert report.records == 0

    asyncio.run(scenario())


def test_a_deleted_head_keeps_what_the_store_has_and_is_reported(case: Case) -> None:
    async def scenario() -> None:
        await log.make(case.kafka, case.topic, changed=DELETING)
        await append(rows(0, 100))(case)
        await case.recover("warm")
        await append(rows(100, 120))(case)
        await log.delete_before(case.kafka, case.topic, 60)
        warm = await case.recover("warm")
        assert case.rows.of(0) == live(rows(0, 120))
        assert (warm.rebuilt, warm.log_start, warm.stored, warm.records) == (None, 60, 100, 20)
        fresh = await case.recover("fresh")
        assert case.rows.of(0) == live(rows(60, 120))
        assert (fresh.rebuilt, fresh.log_start) == (None, 60)

    asyncio.run(scenario())


@pytest.mark.parametrize("kept", [10, 0])
def test_a_store_behind_a_deleted_head_is_rebuilt_and_says_why(case: Case, kept: int) -> None:
    async def scenario() -> None:
        await log.make(case.kafka, case.topic, changed=DELETING)
        await append(rows(0, 100))(case)
        await case.recover("warm")
        await append([*tombstones(0, 40), *rows(200, 210)])(case)
        await log.delete_before(case.kafka, case.topic, 150 - kept)
        warm = await case.recover("warm")
        assert case.rows.of(0) == live(rows(210 - kept, 210))
        assert (warm.rebuilt, warm.start, warm.end) == (Rebuilt.TRIMMED, 150 - kept, 150)
        assert "starts at" in warm.found
        assert (await case.recover("warm")).rebuilt is None

    asyncio.run(scenario())


def test_a_store_ahead_of_a_topic_made_anew_is_rebuilt_and_says_why(case: Case) -> None:
    async def scenario() -> None:
        await log.make(case.kafka, case.topic)
        await append(rows(0, 3))(case)
        store = case.stores("warm").open(0)
        store.write([b"ghost"], [b"row"], 100)
        store.close()
        report = await case.recover("warm")
        assert case.rows.of(0) == live(rows(0, 3))
        assert (report.rebuilt, report.end) == (Rebuilt.AHEAD, 3)
        assert "offset 100" in report.found

    asyncio.run(scenario())


@pytest.mark.parametrize(("age_h", "rebuilt"), [(20, None), (22, Rebuilt.STALE)])
def test_a_store_older_than_tombstones_are_kept_is_rebuilt(case: Case, age_h: int, rebuilt: Rebuilt | None) -> None:
    async def scenario() -> None:
        await log.make(case.kafka, case.topic)
        await append(rows(0, 3))(case)
        await case.recover("warm")
        await append(rows(3, 4))(case)
        case.now += age_h * HOUR_MS
        assert (await case.recover("warm")).rebuilt == rebuilt
        assert case.rows.of(0) == live(rows(0, 4))

    asyncio.run(scenario())


def test_a_store_at_the_end_of_the_changelog_is_right_however_old(case: Case) -> None:
    async def scenario() -> None:
        await log.make(case.kafka, case.topic)
        await append(rows(0, 3))(case)
        await case.recover("warm")
        case.now += 1_000 * HOUR_MS
        assert (await case.recover("warm")).rebuilt is None
        await append(rows(3, 4))(case)
        assert (await case.recover("warm")).rebuilt is None, "the second recovery has found nothing missing"

    asyncio.run(scenario())


@pytest.mark.parametrize("harm", ["layout", "block", "manifest"])
def test_an_unusable_store_is_rebuilt_and_says_why(case: Case, harm: str) -> None:
    many: log.Records = [(b"user-%05d" % n, n.to_bytes(400, "big")) for n in range(2_000)]

    async def scenario() -> None:
        await log.make(case.kafka, case.topic)
        await append(many)(case)
        await case.recover("warm")
        path = case.stores("warm").path(0)
        if harm == "manifest":
            (path / "CURRENT").write_text("garbage")
        elif harm == "layout":
            store = case.stores("warm").open(0)
            store._db.put(b"", b"\x63\x00")
            store.close()
        else:
            sst = max(path.glob("*.sst"), key=lambda file: file.stat().st_size)
            content = bytearray(sst.read_bytes())
            content[len(content) // 2] ^= 0xFF
            sst.write_bytes(content)
        report = await case.recover("warm")
        assert case.rows.of(0) == live(many)
        assert (report.rebuilt, report.stored, report.records) == (Rebuilt.UNUSABLE, 0, 2_000)
        assert report.found
        assert (await case.recover("warm")).rebuilt is None

    asyncio.run(scenario())


def test_an_open_transaction_at_the_end_is_waited_for(case: Case) -> None:
    async def scenario() -> None:
        await log.make(case.kafka, case.topic)
        await append(rows(0, 3))(case)
        producer = await log.open_transaction(case.kafka, case.topic, rows(3, 5))
        with pytest.raises(RecoveryStalled, match="offset 3 of 5"):
            await case.recover("warm", stalled_s=1.0)
        assert case.rows.of(0) == {}
        recovery = asyncio.create_task(case.recover("warm"))
        await asyncio.wait([recovery], timeout=0.5)
        assert not recovery.done()
        await producer.commit_transaction()
        report = await recovery
        await producer.stop()
        assert case.rows.of(0) == live(rows(0, 5))
        assert report.start == 3, "what was read before the error is kept on disk"

    asyncio.run(scenario())


def test_unreadable_rows_stop_the_worker_unless_something_newer_mends_them(case: Case) -> None:
    good = [(b"user-%d" % n, b"\x01" + bytes(7)) for n in range(10)]

    async def scenario() -> None:
        case.format = RowFormat(version=1, size=8)
        await log.make(case.kafka, case.topic)
        await append([*good, (b"user-3", b"\x02" + bytes(7)), (b"user-4", b"\x01"), (b"user-5", b"")])(case)
        for disk in ("warm", "warm", "fresh"):
            with pytest.raises(UnreadableRows, match=r"3 keys, as of key b'user-3' .*version 02, 8 bytes"):
                await case.recover(disk)
            assert case.rows.of(0) == {}
        await append([(b"user-3", b"\x01" + bytes(7)), (b"user-4", None), (b"user-5", None)])(case)
        for disk in ("warm", "fresh"):
            await case.recover(disk)
            assert case.rows.of(0) == live(good, [(b"user-4", None), (b"user-5", None)])

    asyncio.run(scenario())


def test_records_with_an_empty_key_are_counted_and_left_out(case: Case) -> None:
    async def scenario() -> None:
        await log.make(case.kafka, case.topic)
        await append([(b"", b"foreign"), *rows(0, 2), (b"", None)])(case)
        report = await case.recover("fresh")
        assert case.rows.of(0) == live(rows(0, 2))
        assert (report.keyless, report.records) == (2, 4)

    asyncio.run(scenario())


def test_several_partitions_at_once_with_progress_for_each(case: Case) -> None:
    async def scenario() -> None:
        await log.make(case.kafka, case.topic, partitions=3)
        await log.write(case.kafka, case.topic, rows(0, 30), 0)
        await log.write(case.kafka, case.topic, rows(30, 40), 2)
        report = await case.recover_all("warm", [0, 1, 2])
        assert [case.rows.of(partition) for partition in range(3)] == [live(rows(0, 30)), {}, live(rows(30, 40))]
        assert [each.records for each in report.partitions] == [30, 0, 10]
        assert {(each.partition, each.position) for each in case.progress} == {(0, 30), (2, 10)}
        assert report.seconds > 0

    asyncio.run(scenario())


def test_a_cancelled_recovery_gives_stores_and_rows_back(case: Case) -> None:
    async def scenario() -> None:
        await log.make(case.kafka, case.topic)
        producer = await log.open_transaction(case.kafka, case.topic, rows(0, 5))
        recovery = asyncio.create_task(case.recover("warm"))
        await asyncio.wait([recovery], timeout=1.0)
        recovery.cancel()
        with pytest.raises(asyncio.CancelledError):
            await recovery
        await producer.abort_transaction()
        await producer.stop()
        await case.recover("warm")
        assert case.rows.of(0) == {}

    asyncio.run(scenario())


def test_a_store_that_another_worker_has_is_never_wiped(case: Case) -> None:
    async def scenario() -> None:
        await log.make(case.kafka, case.topic, partitions=2)
        other = case.stores("warm").open(1)
        other.write([b"theirs"], [b"row"], 0)
        with pytest.raises(StoreLocked, match="instance name"):
            await case.recover_all("warm", [0, 1])
        assert other.get(b"theirs") == b"row"
        other.close()
        case.stores("warm").open(0).close()

    asyncio.run(scenario())


def test_the_changelog_is_made_once_compacted_and_with_the_inputs_partitions(case: Case) -> None:
    async def scenario() -> None:
        made = await ensure_changelog(case.kafka, case.topic, 3)
        assert made == Changelog(case.topic, 3, 7 * 24 * HOUR_MS)
        assert await ensure_changelog(case.kafka, case.topic, 3) == made
        with pytest.raises(Exception, match="has 3 partitions and not 4"):
            await ensure_changelog(case.kafka, case.topic, 4)

    asyncio.run(scenario())


def test_input_topics_must_exist_and_have_the_same_number_of_partitions(case: Case) -> None:
    async def scenario() -> None:
        one, two, other = (f"{case.topic}-{name}" for name in ("one", "two", "other"))
        for topic, partitions in ((one, 3), (two, 3), (other, 2)):
            await log.make(case.kafka, topic, partitions)
        assert await common_partitions(case.kafka, [one, two]) == 3
        with pytest.raises(ChangelogMismatch, match=r"-one 3, .*-other 2"):
            await common_partitions(case.kafka, [one, other])
        with pytest.raises(ChangelogMismatch, match="no topic nowhere"):
            await common_partitions(case.kafka, [one, "nowhere"])

    asyncio.run(scenario())


def test_a_changelog_that_the_broker_deletes_from_is_refused(case: Case) -> None:
    async def scenario() -> None:
        await log.make(case.kafka, case.topic, changed=DELETING)
        with pytest.raises(ChangelogMismatch, match="set it to compact"):
            await ensure_changelog(case.kafka, case.topic, 1)

    asyncio.run(scenario())
