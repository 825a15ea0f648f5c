"""`sluice replay`: the figures, the files, and one line where it cannot work."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli.replay import replay
from schemas.topics import INTENT_EVENTS, OUTPUTS

START = 1_700_000_000_000


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(replay, [str(argument) for argument in arguments])


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    click = {"type": "product_viewed", "product_id": "p1", "user_id": "u1"}
    lines = [json.dumps({"event_id": f"e{n}", "ts": START + n} | click) for n in range(5)]
    path.write_text("\n".join([*lines, '{"event_id": "bad"']) + "\n")
    return path


def test_every_event_is_an_output_or_a_dead_letter_with_its_reason(events: Path, tmp_path: Path) -> None:
    done = run(events, "--out", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert figures["events_in"] == 6
    assert figures["outputs"] == {INTENT_EVENTS: 5}
    assert figures["dead_letters"] == {"malformed_json": 1}
    assert figures.keys() == {"events_in", "outputs", "dead_letters", "seconds", "events_per_second"}
    lines = (tmp_path / "out" / f"{INTENT_EVENTS}.jsonl").read_text().splitlines()
    assert [json.loads(line)["source_event_id"] for line in lines] == [f"e{n}" for n in range(5)]
    (dead,) = (tmp_path / "out" / "dead-letter.jsonl").read_text().splitlines()
    assert json.loads(dead)["value"] == '{"event_id": "bad"'
    assert {path.stem for path in (tmp_path / "out").iterdir()} == {topic.name for topic in OUTPUTS}


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan"])
def test_a_speed_that_is_none_is_wrong_usage(events: Path, speed: str) -> None:
    done = run(events, "--speed", speed, "--out", "unused")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "neither 'max' nor a number above 0" in done.stderr


def test_a_folder_that_cannot_be_made_is_one_line(events: Path, tmp_path: Path) -> None:
    done = run(events, "--out", events / "out")
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "name another folder with --out" in done.stderr


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    done = run(tmp_path / "none.jsonl", "--out", tmp_path / "out")
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_no_broker_is_one_line_that_says_how_to_start_one(events: Path) -> None:
    done = run(events, "--broker", "127.0.0.1:1")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "start one with `sluice kafka start`" in done.stderr.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "kind", "events"),
    [
        ("rees46_sample/events.parquet", "rees46", 17_435),
        ("retailrocket_extract/events.parquet", "retailrocket", 81_849),
        ("taobao_userbehavior/events.parquet", "taobao", 73_107),
    ],
)
def test_every_event_of_a_public_data_set_comes_out_once(
    shared_data: Path, tmp_path: Path, file: str, kind: str, events: int
) -> None:
    done = run(shared_data / file, "--as", kind, "--out", tmp_path, "--json")
    figures = json.loads(done.stdout)
    assert figures["events_in"] == events
    assert figures["outputs"][INTENT_EVENTS] + sum(figures["dead_letters"].values()) == events
    with (tmp_path / f"{INTENT_EVENTS}.jsonl").open() as lines:
        assert len({json.loads(line)["source_event_id"] for line in lines}) == figures["outputs"][INTENT_EVENTS]
