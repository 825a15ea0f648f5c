"""SIGTERM ends a worker before its deadline (pain 27), on a real Kafka."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.broker.conftest import MakeTopics
from tests.broker.transport_app import committed, produce, read_all, unique

pytestmark = [pytest.mark.broker, pytest.mark.slow]

DEADLINE = 8.0


@contextmanager
def worker_process(
    kafka: str, folder: Path, topic: str, group: str, output: str, behaviour: str
) -> Iterator[subprocess.Popen[str]]:
    """A running worker that has taken its first batch."""
    command = [sys.executable, "-m", "tests.broker.transport_worker"]
    arguments = [kafka, group, str(folder), topic, output, behaviour]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "progress\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_sigterm_under_load_commits_what_is_durable_and_no_more(
    kafka: str, make_topics: MakeTopics, tmp_path: Path
) -> None:
    topic, output, group = unique("clickstream"), unique("out"), unique("group")
    make_topics([topic, output], 1)
    asyncio.run(produce(kafka, topic, 0, [b"%06d" % n + b"x" * 300 for n in range(30_000)]))
    with worker_process(kafka, tmp_path, topic, group, output, "steady") as process:
        stopping = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, code = process.communicate(timeout=DEADLINE), process.returncode
    assert code == 0
    assert time.monotonic() - stopping < DEADLINE
    done = asyncio.run(committed(kafka, group, [(topic, 0)]))[topic, 0]
    written = asyncio.run(read_all(kafka, output, 0))
    assert done is not None
    assert [value[:6] for value in written[:done] if value] == [b"%06d" % n for n in range(done)]


def test_a_blocked_worker_ends_at_the_deadline_and_commits_nothing(
    kafka: str, make_topics: MakeTopics, tmp_path: Path
) -> None:
    topic, group = unique("clickstream"), unique("group")
    make_topics([topic], 1)
    asyncio.run(produce(kafka, topic, 0, [b"1"]))
    with worker_process(kafka, tmp_path, topic, group, topic, "stuck") as process:
        stopping = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=DEADLINE + 5) == 1
    assert time.monotonic() - stopping < DEADLINE + 2
    assert asyncio.run(committed(kafka, group, [(topic, 0)])) == {(topic, 0): None}
