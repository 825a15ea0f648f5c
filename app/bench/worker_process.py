"""A worker as a process of its own, so that its CPU time is its alone."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

_STOP_S = 30.0
_TAIL_LINES = 15


def command(broker: str, folder: Path, *flags: str) -> list[str]:
    """The command line of a worker with its state in ``folder``."""
    start = [sys.executable, "-m", "app.cli.main", "worker", "--broker", broker, "--state-dir", str(folder)]
    return [*start, "--http-port", "0", "--json", *flags]


def run_to_end(broker: str, folder: Path, flags: Sequence[str]) -> dict[str, Any]:
    """Let a worker process what is there; its figures."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "worker.log"
    with log.open("wb") as errors:
        done = subprocess.run(command(broker, folder, "--until-end", *flags), stdout=subprocess.PIPE, stderr=errors)
    if done.returncode:
        raise _ended(done.returncode, log)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


@contextmanager
def running(broker: str, folder: Path, flags: Sequence[str]) -> Iterator[None]:
    """A worker that runs inside the block."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "worker.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(command(broker, folder, *flags), stdout=subprocess.DEVNULL, stderr=errors)
        try:
            yield
        finally:
            ended = process.poll()
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if ended is not None:
            raise _ended(ended, log)


def _ended(code: int, log: Path) -> click.ClickException:
    tail = log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
    return click.ClickException("\n".join([f"the worker ended with {code}; the end of its log:", *tail]))
