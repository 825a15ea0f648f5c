"""Recovery over local stores that fit their changelog, and over those that do not."""

import asyncio

import pytest

from app.state.changelog import Changelog
from app.state.recovery import recover
from app.state.restoring import Rebuilt
from app.state.store import StoreLocked
from tests.broker import changelogs as log
from tests.broker.changelogs import live, rows, tombstones
from tests.broker.recovery_case import DELETING, HOUR_MS, Case, append
from tests.state.columns import DictRows

pytestmark = pytest.mark.broker


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


@pytest.mark.parametrize(("age_h", "rebuilt"), [(-1_000, None), (20, None), (22, Rebuilt.STALE)])
def test_a_store_older_than_tombstones_are_kept_is_rebuilt(case: Case, age_h: int, rebuilt: Rebuilt | None) -> None:
    """By a clock that was set back in between it is not old."""

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


def test_what_was_read_is_on_disk_before_anything_goes_on(case: Case) -> None:
    async def scenario() -> None:
        await log.make(case.kafka, case.topic)
        await append(rows(0, 50))(case)
        changelog, broker = Changelog(case.topic, 1, 24 * HOUR_MS), {"bootstrap_servers": case.kafka}
        stores, _ = await recover([0], case.stores("warm"), DictRows(), changelog, broker, now_ms=lambda: case.now)
        flushed = case.stores("warm").open_read_only(0)
        assert (flushed.offset, flushed.get(b"user-0049")) == (50, b"row 49 ")
        flushed.close()
        stores[0].close()

    asyncio.run(scenario())
