"""Worker processes: started, ready, watched, and gone afterwards."""

import os
import random
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.cli.errors import UsageProblem
from app.kafka.devbroker.ports import LOOPBACK, free_port

GROUP = "sluice-demo"
GRACE_MS = 300_000
"""Of late events. In the demo event time passes hundreds of times faster, and the usual minute would be 0.3 s."""

_READY_S = 60.0
_STOP_S = 15.0
_POLL_S = 0.1
_WRONG_USAGE = 2


class WorkerEnded(RuntimeError):
    """A worker ended by itself; the message holds the last error of its log and where the rest is."""


@dataclass(frozen=True)
class Worker:
    """One worker: its process, where its health is told, and its log."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    @property
    def ready(self) -> bool:
        """Whether it has partitions and processes them."""
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/readyz", timeout=1):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def check(self) -> None:
        """Say so if it has ended.

        Raises:
            UsageProblem: it was configured wrongly.
            WorkerEnded: for any other reason.
        """
        code = self.process.poll()
        if code is None:
            return
        lines = self.log.read_text(errors="replace").splitlines() or ["its log is empty"]
        if code == _WRONG_USAGE:
            raise UsageProblem(lines[-1].removeprefix("sluice: "))
        # What it says after its error is how it stops.
        errors = [line for line in lines if "[error" in line or "[critical" in line]
        raise WorkerEnded(f"a worker ended with {code}: {(errors or lines)[-1]} (its log: {self.log})")


@contextmanager
def workers(
    broker: str, folder: Path, count: int, models: Path, settings: Mapping[str, str] | None = None
) -> Iterator[Sequence[Worker]]:
    """``count`` workers of one group, ready at the start of the block and gone after it, whatever happens.

    State and logs go to ``folder``, models come from ``models``; ``settings`` are ``SLUICE_*`` variables.

    Raises:
        UsageProblem, WorkerEnded: one did not become ready.
    """
    started: list[Worker] = []
    try:
        for number in range(1, count + 1):
            started.append(_start(broker, folder, f"worker-{number}", models, settings or {}))
        _await_ready(started)
        yield started
    finally:
        _stop(started)


def _start(broker: str, folder: Path, instance: str, models: Path, settings: Mapping[str, str]) -> Worker:
    port, log = free_port(random.SystemRandom()), folder / f"{instance}.log"
    command = [sys.executable, "-m", "app.cli.main", "worker", "--broker", broker, "--group", GROUP]
    command += ["--instance", instance, "--state-dir", str(folder / "state"), "--http-port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ
            | {"SLUICE_GRACE_MS": str(GRACE_MS), "SLUICE_MODEL_REPOSITORY": str(models.absolute())}
            | dict(settings),
            # Its own session: Ctrl-C reaches the demo alone, which then stops its workers in order.
            start_new_session=True,
        )
    return Worker(process, port, log)


def _await_ready(started: Sequence[Worker]) -> None:
    deadline = time.monotonic() + _READY_S
    while not all(worker.ready for worker in started):
        for worker in started:
            worker.check()
        if time.monotonic() > deadline:
            raise WorkerEnded(f"no worker was ready after {_READY_S:.0f} s; see {started[0].log}")
        time.sleep(_POLL_S)


def _stop(started: Sequence[Worker]) -> None:
    for worker in started:
        worker.process.terminate()
    deadline = time.monotonic() + _STOP_S
    for worker in started:
        try:
            worker.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()
