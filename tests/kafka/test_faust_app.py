"""The settings the transport depends on (pains 23, 25, 26)."""

import asyncio
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

from app.kafka.consumer import BatchSchema
from app.kafka.faust_app import DeadlineWorker, create_app
from app.kafka.options import TransportOptions
from app.kafka.transport import Transport


def test_the_transport_is_registered_under_its_url() -> None:
    (entry,) = entry_points(group="faust.transports", name="batchkafka")
    assert entry.load() is Transport


@pytest.mark.parametrize(("package", "pinned"), [("faust-streaming", "0.15.3"), ("aiokafka", "0.14.0")])
def test_the_packages_subclassed_here_are_the_reviewed_releases(package: str, pinned: str) -> None:
    assert version(package) == pinned


def test_an_app_speaks_batches_and_leaves_the_rest_of_faust_off(tmp_path: Path) -> None:
    app = create_app("group", "one:9092,two:9093", tmp_path, instance="worker-1", session_timeout=6.0)
    conf = app.conf
    assert [str(url) for url in conf.broker] == ["batchkafka://one:9092", "batchkafka://two:9093"]
    assert isinstance(app.transport, Transport)
    assert conf.Schema is BatchSchema
    assert conf.consumer_group_instance_id == "worker-1"
    assert conf.processing_guarantee.value == "at_least_once"
    assert not conf.producer_threaded
    assert not conf.web_enabled
    assert not conf.topic_allow_declare
    assert conf.stream_wait_empty


def test_two_apps_do_not_share_options(tmp_path: Path) -> None:
    given = {"store": "memory://"}
    small = create_app("a", "k:1", tmp_path, options=TransportOptions(batch_records=1), settings=given)
    default = create_app("b", "k:1", tmp_path, settings=given)
    assert (small.transport_options.batch_records, default.transport_options.batch_records) == (1, 8_192)
    assert given == {"store": "memory://"}


def test_a_worker_that_has_stopped_ends_at_once(tmp_path: Path) -> None:
    """Mode slept for a second after the last task had ended."""

    async def run() -> None:
        last_turn = DeadlineWorker(create_app("group", "one:9092", tmp_path))._sentinel_task()
        with pytest.raises(StopIteration):
            last_turn.send(None)

    asyncio.run(run())


def test_tasks_that_were_cancelled_last_may_clean_up(tmp_path: Path) -> None:
    cleaned = []

    async def task() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    async def run() -> None:
        worker, left = DeadlineWorker(create_app("group", "one:9092", tmp_path)), asyncio.create_task(task())
        await asyncio.sleep(0)
        left.cancel()
        await worker._sentinel_task()
        assert cleaned

    asyncio.run(run())
