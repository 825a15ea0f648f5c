"""The command line: exit codes, one line on standard error, and nothing imported before it is needed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
WITH_BROKEN = """
import sys
from app.cli import main
main.COMMANDS["broken"] = main.Lazy("tests.cli.broken:broken", "Ends as asked.")
sys.exit(main.main())
"""


def start(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
    return subprocess.run(
        [sys.executable, *command],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def sluice(*arguments: str) -> subprocess.CompletedProcess[str]:
    return start(["-m", "app.cli.main", *arguments])


def broken(*arguments: str) -> subprocess.CompletedProcess[str]:
    return start(["-c", WITH_BROKEN, "broken", *arguments])


def test_help_lists_the_commands_and_is_done() -> None:
    done = sluice("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for command in ("kafka", "topics", "schema", "worker", "replay", "demo", "torture", "bench", "train", "state"):
        assert f"\n  {command} " in done.stdout


def test_version_names_what_it_runs_on() -> None:
    done = sluice("--version")
    assert done.returncode == 0
    versions = dict(line.split() for line in done.stdout.splitlines())
    assert {"sluice", "python", "faust-streaming", "aiokafka"} <= set(versions)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nosuch"], "sluice: No such command 'nosuch'. (see sluice --help)\n"),
        (["--bad"], "sluice: No such option: --bad (see sluice --help)\n"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments: list[str], line: str) -> None:
    done = sluice(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


def test_no_command_shows_the_help_and_is_wrong_usage() -> None:
    done = sluice()
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Usage: sluice")
    assert done.stderr.endswith("\nsluice: name a command\n")


def test_a_usage_problem_is_one_line_and_exit_code_2() -> None:
    done = broken("wrong")
    line = "sluice: the topic clicks has 4 partitions, not 8: use --partitions 4\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


def test_wrong_usage_of_a_subcommand_points_at_its_help() -> None:
    done = broken("figures", "--nosuch")
    assert done.returncode == 2
    assert done.stderr == "sluice: No such option: --nosuch (see sluice broken figures --help)\n"


def test_an_unexpected_error_shows_its_traceback_and_is_exit_code_1() -> None:
    done = broken("crash")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "RuntimeError: the disk is gone" in done.stderr
    assert "Traceback (most recent call last)" in done.stderr


def test_an_expected_failure_is_one_line_and_exit_code_1() -> None:
    done = broken("failed")
    assert (done.returncode, done.stderr) == (1, "sluice: 2 of 3 files could not be read\n")


def test_an_interrupt_is_exit_code_130() -> None:
    done = broken("interrupted")
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


def test_a_command_may_choose_its_exit_code() -> None:
    assert broken("leaves").returncode == 7


def test_a_report_is_alone_on_standard_output() -> None:
    done = broken("figures", "--json", "--broker", "kafka:9092")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"broker": "kafka:9092", "outputs": {"intent-events": 12345}}
    assert "a log line" in done.stderr


def test_a_bad_flag_value_is_one_line_and_exit_code_2() -> None:
    done = broken("figures", "--broker", "nowhere")
    assert done.returncode == 2
    assert done.stderr.startswith("sluice: broker is 'nowhere' (from --broker): must be HOST:PORT")
    assert done.stderr.count("\n") == 1


def test_log_lines_of_a_command_without_settings_stay_off_standard_output() -> None:
    done = broken("quiet")
    assert done.stdout == ""
    assert "logged before any settings were read" in done.stderr


def test_help_imports_no_command_and_no_heavy_library() -> None:
    script = """
import sys
from app.cli.main import main
code = main(["--help"])
heavy = {"faust", "onnxruntime", "polars", "numpy", "pydantic", "aiokafka", "rich", "structlog"}
loaded = {name.partition(".")[0] for name in sys.modules}
commands = [name for name in sys.modules if name.startswith("app.cli.") and name not in
            ("app.cli.main", "app.cli.errors", "app.cli.lazy")]
sys.exit(code or repr((heavy & loaded, commands)) if (heavy & loaded or commands) else code)
"""
    done = start(["-c", script])
    assert (done.returncode, done.stderr) == (0, "")
