"""`sluice worker` as a user runs it: a process with a log, a port of health, and an end."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

PATIENCE_S = 60.0
_POLL_S = 0.05
_ADDRESS = re.compile(r"health and metrics.*address=(http://\S+)")


class Answer(NamedTuple):
    """What an HTTP endpoint said."""

    status: int
    text: str


class WorkerProcess:
    """A running worker.

    Args:
        broker: it reads from.
        folder: of its state; its log lies beside it.
        group: of the workers.
        flags: of the command.
        settings: by name, passed as ``SLUICE_*`` variables.
    """

    def __init__(
        self, broker: str, folder: Path, group: str, *flags: str, instance: str = "one", **settings: object
    ) -> None:
        self.instance = instance
        self.state_dir = folder
        self.log = folder.parent / f"{folder.name}-{instance}.log"
        self._log_start = self.log.stat().st_size if self.log.exists() else 0  # one before may have used it
        own = {f"SLUICE_{name.upper()}": str(value) for name, value in settings.items()}
        plain = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
        command = [sys.executable, "-m", "app.cli.main", "worker", "--broker", broker, "--state-dir", str(folder)]
        command += ["--group", group, "--instance", instance, "--http-port", "0", "--json", *flags]
        with self.log.open("ab") as errors:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=plain | {"SLUICE_SESSION_TIMEOUT_MS": "6000"} | own,
            )

    def get(self, path: str) -> Answer:
        """Ask its HTTP server, once that listens."""
        address = until(self._address, f"the port of the worker; {self.tail()}")
        try:
            with urllib.request.urlopen(address + path, timeout=10) as answer:
                return Answer(answer.status, answer.read().decode())
        except urllib.error.HTTPError as refusal:
            return Answer(refusal.code, refusal.read().decode())

    def until_ready(self) -> None:
        """Wait until ``/readyz`` says so."""
        until(lambda: self.get("/readyz").status == 200, "a ready worker")

    def end(self, timeout: float = PATIENCE_S) -> int:
        """Wait for its end; the exit code."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the worker has not ended within {timeout} s; {self.tail()}") from None

    def stop(self, timeout: float = PATIENCE_S) -> dict[str, Any]:
        """Have it end in order; its figures."""
        self.process.send_signal(signal.SIGTERM)
        return self.figures(timeout)

    def figures(self, timeout: float = PATIENCE_S) -> dict[str, Any]:
        """What it reports at its end, which must be a good one."""
        assert self.end(timeout) == 0, self.tail()
        assert self.process.stdout is not None
        figures: dict[str, Any] = json.loads(self.process.stdout.read())
        return figures

    def kill(self) -> None:
        """End it as a crash would."""
        assert self.process.poll() is None, f"it had ended by itself; {self.tail()}"
        self.process.kill()
        self.process.wait()

    def tail(self) -> str:
        """The end of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(["its log ends:", *lines[-15:]])

    def close(self) -> None:
        """Leave nothing behind."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _address(self) -> str | None:
        assert self.process.poll() is None, f"it has ended; {self.tail()}"
        found = _ADDRESS.findall(self.log.read_bytes()[self._log_start :].decode(errors="replace"))
        return found[-1] if found else None


@contextmanager
def running(
    broker: str, folder: Path, group: str, *flags: str, instance: str = "one", **settings: object
) -> Iterator[WorkerProcess]:
    """A worker that is gone after the block."""
    worker = WorkerProcess(broker, folder, group, *flags, instance=instance, **settings)
    try:
        yield worker
    finally:
        worker.close()


def run_to_end(broker: str, folder: Path, group: str, **settings: object) -> dict[str, Any]:
    """The figures of a worker that processes what is there and leaves."""
    with running(broker, folder, group, "--until-end", instance="one", **settings) as worker:
        return worker.figures()


def until(condition: Callable[[], Any], what: str | Callable[[], str], timeout: float = PATIENCE_S) -> Any:  # noqa: ANN401 - whatever it found
    """What the condition returns once that is true; the test fails with ``what`` it waited for."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what if isinstance(what, str) else what()}")
        time.sleep(_POLL_S)
    return found
