"""The workers as processes that can be killed, stopped, continued and started again."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from app.torture.victim import FOLDER, takeovers_file
from app.torture.visits import GAP_MS, GRACE_MS, HISTORY_MS

GROUP = "torture"
SESSION_TIMEOUT_MS = 6_000
VICTIM = (sys.executable, "-m", "app.torture.victim")
"""The command of a worker; a mutation has another."""

_SETTINGS = {
    "SESSION_TIMEOUT_MS": SESSION_TIMEOUT_MS,
    "SESSION_GAP_MS": GAP_MS,
    "GRACE_MS": GRACE_MS,
    "HISTORY_TTL_MS": HISTORY_MS,
    "DRIFT_WINDOW_MS": 0,  # its counts do not outlive a process, so a killed worker tells of less than the reference
}


class VictimWorker:
    """One static member of the group, whichever process is it at the moment.

    Args:
        broker: ``HOST:PORT``.
        folder: of the run; its state, windows and log lie below.
        instance: its name.
        guarantee: of its settings.
        batch: most records of one of its batches.
        command: what is run, with the flags of ``sluice worker``.
    """

    def __init__(
        self, broker: str, folder: Path, instance: str, guarantee: str, batch: int, command: Sequence[str]
    ) -> None:
        self.instance = instance
        self.state = folder / "state" / instance
        self.log = folder / f"{instance}.log"
        self._windows = folder / "windows" / instance
        self._windows.mkdir(parents=True)
        self.takeovers = takeovers_file(self._windows)
        self._command = [*command, "--broker", broker, "--group", GROUP, "--instance", instance]
        self._command += ["--state-dir", str(folder / "state"), "--http-port", "0", "--guarantee", guarantee]
        own = {f"SLUICE_{name}": str(value) for name, value in _SETTINGS.items()}
        own["SLUICE_MAX_BATCH_RECORDS"] = str(batch)
        self._environment = os.environ | own | {FOLDER: str(self._windows)}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether there is a process, stopped or not."""
        return self.process is not None and self.process.poll() is None

    @property
    def is_stopped(self) -> bool:
        """Whether the process is held by SIGSTOP."""
        try:
            return self.is_running and psutil.Process(self._process.pid).status() == psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:
            return False

    @property
    def rss_mb(self) -> float:
        """Memory of the process."""
        try:
            return float(psutil.Process(self._process.pid).memory_info().rss / 2**20)
        except psutil.Error:
            return 0.0

    def start(self) -> None:
        """Start a process, with the disk as it is."""
        with self.log.open("ab") as log:
            # Not psutil's: its exit code is lost if another thread asks whether it runs while one waits for its end.
            self.process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

    def arm(self, window: str) -> None:
        """Have it stop at the next pass through a window."""
        (self._windows / window).touch()

    def disarm(self) -> None:
        """Have it pass all windows again."""
        for armed in self._windows.iterdir():
            armed.unlink(missing_ok=True)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has just ended by itself."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.send(signal.SIGKILL)
        self._process.wait()

    def wipe(self) -> None:
        """Empty its disk."""
        shutil.rmtree(self.state, ignore_errors=True)

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code; None if it has not ended by then."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    @property
    def _process(self) -> subprocess.Popen[bytes]:
        assert self.process is not None, f"{self.instance} was never started"
        return self.process
