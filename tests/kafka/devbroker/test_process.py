"""The broker's process is found again, never mistaken for another, and ended for certain."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.kafka.devbroker.process import Files, Running, find_running, kill, record, terminate

WAITS = "import sys; print('ready', flush=True); sys.stdin.read()"
IGNORES_TERM = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAITS}"


@contextmanager
def child(code: str, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"ready\n"
        try:
            yield started
        finally:
            started.kill()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_a_process_started_on_our_properties_file_is_found(files: Files) -> None:
    with child(WAITS, str(files.properties)) as started:
        record(files, Running(started.pid, 9092))
        assert find_running(files) == Running(started.pid, 9092)


def test_a_recycled_process_id_is_not_taken_for_the_broker(files: Files) -> None:
    record(files, Running(os.getpid(), 9092))
    assert find_running(files) is None


def test_the_broker_of_another_folder_is_not_ours(files: Files, tmp_path: Path) -> None:
    with child(WAITS, str(Files(tmp_path / "other").properties)) as started:
        record(files, Running(started.pid, 9092))
        assert find_running(files) is None


def test_a_dead_process_is_not_running_even_before_its_parent_has_noticed(files: Files) -> None:
    with child(WAITS, str(files.properties)) as started:
        record(files, Running(started.pid, 9092))
        started.kill()
        os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)
        assert find_running(files) is None


@pytest.mark.parametrize("content", ["", "{", "{}", '{"pid": "x", "port": 1}'])
def test_a_damaged_record_means_not_running(files: Files, content: str) -> None:
    files.running.write_text(content)
    assert find_running(files) is None


def test_no_record_means_not_running(files: Files) -> None:
    assert find_running(files) is None


def test_a_process_that_ignores_sigterm_is_killed(files: Files) -> None:
    with child(IGNORES_TERM) as started:
        terminate(started.pid, timeout=0.2)
        assert started.poll() is not None


def test_ending_a_process_that_is_gone_is_no_error(files: Files) -> None:
    with child(WAITS) as started:
        kill(started.pid)
        terminate(started.pid)
        kill(started.pid)
        assert started.poll() is not None


def test_only_our_own_files_are_deleted(files: Files, tmp_path: Path) -> None:
    (files.log_folder / "clickstream-0").mkdir(parents=True)
    for file in (files.properties, files.output, files.running, tmp_path / "thesis.txt"):
        file.write_text("x")
    files.delete()
    assert [left.name for left in tmp_path.iterdir()] == ["thesis.txt"]
