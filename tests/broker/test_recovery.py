"""Recovery from every shape a changelog takes, with a fresh disk and with a warm one."""

import asyncio

import pytest

from app.state.recovery import RecoveryStalled, UnreadableRows
from tests.broker import changelogs as log
from tests.broker.changelogs import live, rows, tombstones
from tests.broker.recovery_case import Case, Write, append, in_transaction
from tests.state.columns import RowFormat

pytestmark = pytest.mark.broker


async def nothing(case: Case) -> None:
    return


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
