"""`sluice state get`: a row in words, from a store that a worker may have open."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli.state import state
from app.pipeline import Limits, Pipeline
from app.replay.fetches import Fetches
from app.replay.recorded import RecordedBatch
from app.state.columns import Lifetimes
from app.state.store import PartitionStore, Stores
from schemas.topics import CLICKSTREAM, ORDERS
from tests.fakes import fake_models

START = 1_700_000_000_000
LIVES = Lifetimes(gap_ms=30 * 60_000, history_ms=30 * 86_400_000, grace_ms=60_000)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PartitionStore]:
    """What a worker has open while the command looks, after two clicks and an order of one visitor."""
    click = {"type": "product_added", "user_id": "ü1", "session_id": "s1", "product_id": "p", "price": 12.5}
    order = {"type": "order_placed", "user_id": "ü1", "order_id": "o1", "value": 25, "currency": "EUR"}
    events = [{"event_id": f"e{n}", "ts": START + n} | body for n, body in enumerate([click, click, order])]
    values = [json.dumps(event).encode() for event in events]
    batch = RecordedBatch([CLICKSTREAM] * 2 + [ORDERS], ["ü1".encode()] * 3, [START + n for n in range(3)], values)
    pipeline = Pipeline(fake_models(), LIVES, Limits(10, 1 << 20, 0.0), 1, with_headers=False)
    opened = Stores(tmp_path / "worker-1" / "sessions", lambda: START).open(0)
    for fetched in Fetches(1).of(batch):
        pipeline.feed(fetched)
    while work := pipeline.work(lambda _: 0, 0.0, START):
        for change in work.changes:
            opened.write(change.keys, change.values, (opened.offset or 0) + len(change.keys))
    opened.flush()
    yield opened
    opened.close()


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(state, ["get", *map(str, arguments)])


def test_a_row_is_told_while_the_worker_has_the_store_open(store: PartitionStore, tmp_path: Path) -> None:
    done = run("ü1", "--state-dir", tmp_path)
    assert done.exit_code == 0, done.output
    row = json.loads(done.stdout)
    assert (row["user"], row["partition"], row["last_event_id"]) == ("ü1", 0, "e1")
    assert (row["session"]["session_id"], row["session"]["counts"]) == ("s1", {"product_added": 2})
    assert (row["session"]["cart"], row["history"]["adds"]) == (25.0, 2)
    assert row["orders"] == [{"ts": START + 2, "count": 1, "value": 25.0}]
    assert row["remembered_event_ids"] == 3


def test_no_row_is_exit_code_1(store: PartitionStore, tmp_path: Path) -> None:
    done = run("nobody", "--state-dir", tmp_path)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "there is no row of 'nobody'" in done.stderr


def test_no_state_says_where_it_looked_and_what_to_name(tmp_path: Path) -> None:
    done = run("u1", "--state-dir", tmp_path, "--instance", "other")
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert str(tmp_path / "other") in done.stderr
    assert "--state-dir and --instance" in done.stderr
