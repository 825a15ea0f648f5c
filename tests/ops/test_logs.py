"""Logs: standard error only, ours and the libraries' alike."""

import json
import subprocess
import sys

SCRIPT = """
import logging, sys
import structlog
from app.ops.logs import configure_logs
configure_logs(sys.argv[1], sys.argv[2])
structlog.get_logger("app.step").info("batch done", records=3)
structlog.get_logger("app.step").debug("detail")
logging.getLogger("aiokafka.consumer").info("chatter")
logging.getLogger("faust.app").warning("partition %d lost", 4)
try:
    secret = "4111-1111"
    raise ValueError("no such user")
except ValueError:
    structlog.get_logger("app.step").exception("failed")
"""


def run(level: str, log_format: str) -> tuple[str, str]:
    command = [sys.executable, "-c", SCRIPT, level, log_format]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout, done.stderr


def test_json_lines_hold_ours_and_the_libraries_and_leave_standard_output_alone() -> None:
    out, err = run("info", "json")
    lines = [json.loads(line) for line in err.splitlines()]
    assert out == ""
    assert [(line["logger"], line["level"], line["event"]) for line in lines] == [
        ("app.step", "info", "batch done"),
        ("faust.app", "warning", "partition 4 lost"),
        ("app.step", "error", "failed"),
    ]
    assert lines[0]["records"] == 3
    assert lines[0]["timestamp"].endswith("Z")
    assert "ValueError: no such user" in lines[2]["exception"]


def test_console_tracebacks_do_not_show_local_variables() -> None:
    out, err = run("info", "console")
    assert out == ""
    assert "records=3" in err
    assert "ValueError: no such user" in err
    assert "4111-1111" not in err


def test_debug_shows_libraries_at_info() -> None:
    _, err = run("debug", "json")
    events = [json.loads(line)["event"] for line in err.splitlines()]
    assert "detail" in events
    assert "chatter" in events
