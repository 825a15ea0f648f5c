"""The broker's operating system process: find the running one, end it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from app.kafka.devbroker.ports import LOOPBACK

_TERM_TIMEOUT_S = 20.0
_KILL_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Running:
    """A running broker: its process, and the loopback port that clients use."""

    pid: int
    port: int

    @property
    def address(self) -> str:
        """What clients connect to: `127.0.0.1:PORT`."""
        return f"{LOOPBACK}:{self.port}"


@dataclass(frozen=True)
class Files:
    """The broker's own files in its data folder; nothing else there is ever touched."""

    data: Path

    @property
    def log_folder(self) -> Path:
        """Topics: Kafka's `log.dirs`."""
        return self.data / "log"

    @property
    def temporary(self) -> Path:
        """Java's folder for unpacked native libraries."""
        return self.data / "tmp"

    @property
    def properties(self) -> Path:
        """The settings of the last start."""
        return self.data / "server.properties"

    @property
    def output(self) -> Path:
        """What the last start wrote to standard output and standard error."""
        return self.data / "server.log"

    @property
    def running(self) -> Path:
        """Process id and port of the last start."""
        return self.data / "broker.json"

    @property
    def lock(self) -> Path:
        """Held while the broker is started, stopped or wiped."""
        return self.data / ".lock"

    def delete(self) -> None:
        """Delete all but the lock."""
        for folder in (self.log_folder, self.temporary):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (self.properties, self.output, self.running):
            file.unlink(missing_ok=True)


def find_running(files: Files) -> Running | None:
    """Return the broker that runs on `files`, or None.

    A process counts only if its command line names our properties file: the recorded id may by now belong to
    another program (a start time would change with every step of the system's clock).
    """
    try:
        running = msgspec.json.decode(files.running.read_bytes(), type=Running)
        ours = psutil.Process(running.pid).cmdline()[-1:] == [str(files.properties)]
    except (FileNotFoundError, msgspec.DecodeError, psutil.Error):
        return None
    return running if ours else None


def record(files: Files, running: Running) -> None:
    """Write `running` down for later commands."""
    partial = files.running.with_suffix(".partial")
    partial.write_bytes(msgspec.json.encode(running))
    partial.replace(files.running)


def terminate(pid: int, timeout: float = _TERM_TIMEOUT_S) -> None:
    """Ask process `pid` to end with SIGTERM; after `timeout` seconds send SIGKILL."""
    try:
        process = psutil.Process(pid)
        process.terminate()
        process.wait(timeout)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        kill(pid)


def kill(pid: int) -> None:
    """End process `pid` with SIGKILL, as a crash would, and wait until it is gone."""
    try:
        process = psutil.Process(pid)
        process.kill()
        process.wait(_KILL_TIMEOUT_S)
    except psutil.NoSuchProcess:
        return
