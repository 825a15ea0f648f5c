"""`sluice demo`: figures against the truth, nothing left behind, one line where it fails."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from app.demo.run import STARTER
from app.rules.compiling import compile_ruleset
from app.rules.reading import read_ruleset
from schemas.outputs import FailureType
from schemas.topics import INTENT_EVENTS, OUTPUTS, RISK_EVENTS

pytestmark = [pytest.mark.broker, pytest.mark.slow]

SMALL = ["--events", "3000", "--rate", "1500", "--workers", "1"]


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where the demo makes its folder: empty before and after."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


def start(temporary: Path, *arguments: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli.main", "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment | {"TMPDIR": str(temporary)},
    )


def left_behind(temporary: Path) -> list[list[str]]:
    """Processes that still use the demo's folder."""
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if any(str(temporary) in part for part in command):
            found.append(command)
    return found


def test_figures_of_a_run_agree_with_each_other_and_nothing_stays(temporary: Path, tmp_path: Path) -> None:
    recorded = tmp_path / "recorded.jsonl"
    click = {"type": "page_viewed", "user_id": "u"}
    lines = [json.dumps({"event_id": f"r{n}", "ts": 1_500_000_000_000 + n} | click) for n in range(100)]
    recorded.write_text("\n".join([*lines, "{"]) + "\n")

    running = start(temporary, *SMALL, "--data", str(recorded), "--json")
    output, error = running.communicate(timeout=120)
    assert running.returncode == 0, error
    assert "simulated" in error
    figures = json.loads(output)
    assert set(figures) >= {"events_in", "outputs", "dead_letters", "seconds", "events_per_second", "truth"}
    assert set(figures["outputs"]) <= {topic.name for topic in OUTPUTS}
    assert figures["dead_letters"] == {FailureType.MALFORMED_JSON: 1}
    truth = figures["truth"]
    assert figures["outputs"][INTENT_EVENTS] == truth["purchase"]["cases"] + 100
    assert figures["outputs"][RISK_EVENTS] == truth["fraud"]["cases"]
    assert all(0 <= truth[what][name] <= 1 for what in truth for name in ("precision", "recall") if truth[what][name])
    assert all(0 < waits["p50"] <= waits["p99"] for waits in figures["latency_ms"].values())
    assert figures["latency_ms"].keys() == {"clicks", "orders"}
    assert figures["ruleset"] == compile_ruleset(read_ruleset(STARTER)).version
    assert sum(figures["actions"].values()) == figures["outputs"][RISK_EVENTS]
    assert figures["rules"]
    assert sum(one["orders"] for one in figures["patterns"].values()) == truth["fraud"]["true"]
    assert list(temporary.glob("sluice*")) == []
    assert left_behind(temporary) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_in_the_middle_it_leaves_nothing_behind(temporary: Path, number: signal.Signals) -> None:
    running = start(temporary, "--events", "1000000", "--workers", "1")
    assert running.stderr is not None
    for line in running.stderr:
        if "simulated" in line:  # from here on it plays
            break
    running.send_signal(number)
    running.communicate(timeout=60)
    assert running.returncode == 130
    assert list(temporary.glob("sluice*")) == []
    assert left_behind(temporary) == []


def test_a_worker_that_dies_is_one_line_with_its_log(temporary: Path) -> None:
    running = start(temporary, "--events", "1000000", "--workers", "1")
    assert running.stderr is not None
    for line in running.stderr:
        if "simulated" in line:
            break
    (worker,) = [process for process in psutil.Process(running.pid).children() if "worker" in process.cmdline()]
    worker.kill()
    _, error = running.communicate(timeout=60)
    assert running.returncode == 1
    *_, last = error.splitlines()
    assert last.startswith("sluice: a worker ended with -9")
    log = Path(last.rpartition("its log: ")[2].rstrip(")"))
    assert log.is_file()
    assert left_behind(temporary) == []


def test_a_missing_model_is_one_line_and_leaves_nothing(temporary: Path, tmp_path: Path) -> None:
    running = start(temporary, *SMALL, "--model-repository", str(tmp_path / "none"))
    _, error = running.communicate(timeout=60)
    assert running.returncode == 2
    assert error.splitlines()[-1].startswith(f"sluice: there is no model in {tmp_path / 'none'}")
    assert list(temporary.glob("sluice*")) == []
