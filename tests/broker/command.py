"""Run the command line as a user does: a process with an exit code and two outputs."""

import os
import subprocess
import sys
from typing import NamedTuple


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    output: str
    error: str


def sluice(*arguments: str) -> Ended:
    """Run `sluice` with `arguments`, without the settings of the developer's environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
    command = [sys.executable, "-m", "app.cli.main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    return Ended(done.returncode, done.stdout, done.stderr)
