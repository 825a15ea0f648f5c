"""`sluice kafka` where no broker runs: what it says, and with which exit code."""

import json
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli.kafka import kafka
from app.kafka.devbroker.ports import LOOPBACK


def run(*arguments: str) -> Result:
    return CliRunner().invoke(kafka, arguments)


def test_status_of_no_broker_is_exit_code_1_and_says_how_to_start_one(tmp_path: Path) -> None:
    shown = run("status", "--data", str(tmp_path))
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert "sluice kafka start" in shown.stderr
    shown = run("status", "--json", "--data", str(tmp_path))
    assert (shown.exit_code, json.loads(shown.stdout)["running"]) == (1, False)


@pytest.mark.parametrize("command", ["stop", "wipe"])
def test_stopping_or_wiping_no_broker_is_done_at_once(tmp_path: Path, command: str) -> None:
    assert run(command, "--data", str(tmp_path / "never")).exit_code == 0


def test_every_port_has_a_data_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    for port, arguments in ((9092, []), (9100, ["--port", "9100"])):
        shown = json.loads(run("status", "--json", *arguments).stdout)
        assert shown["data"] == str(tmp_path / "sluice" / "kafka" / str(port))


def test_a_taken_port_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = str(server.getsockname()[1])
        ended = run("start", "--port", port, "--data", str(tmp_path))
    assert (ended.exit_code, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert f"port {port} on 127.0.0.1 is taken" in ended.stderr
    assert "--port" in ended.stderr


def test_a_folder_that_cannot_be_made_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = run("start", "--data", str(tmp_path / "file" / "kafka"))
    assert (ended.exit_code, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert "choose another folder with --data" in ended.stderr
