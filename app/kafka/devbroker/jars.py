"""Kafka's jars: downloaded by Maven coordinate, pinned by SHA-256 in our lock file, cached per user.

`python -m app.kafka.devbroker.jars --lock` renews the lock file after a change of `COORDINATES`.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import requests
from jgo.maven import MavenContext
from rich.console import Console
from rich.progress import track

from app.kafka.devbroker.errors import DevelopmentBrokerError
from app.kafka.devbroker.locks import locked

COORDINATES = ("org.apache.kafka:kafka_2.13:4.4.0", "org.slf4j:slf4j-simple:2.0.16")
LOCK_FILE = Path(__file__).with_name("kafka-jars.lock")
_HEADER = """\
# The class path of the development broker: Maven coordinate, file name, SHA-256.
# Renewed by: python -m app.kafka.devbroker.jars --lock
"""
_DOWNLOADS_AT_ONCE = 8
_TIMEOUT_S = 60


@dataclass(frozen=True)
class Jar:
    """One line of the lock file: `group:artifact:version`, the jar's file name, and its SHA-256 in hex."""

    coordinate: str
    file: str
    sha256: str


Fetch = Callable[[Jar, Path], Path]
"""Downloads a jar into a Maven repository folder and returns the file's path."""


def read_lock(path: Path = LOCK_FILE) -> list[Jar]:
    """Return the jars that `path` pins; raise DevelopmentBrokerError if a line does not have three fields."""
    lines = [line.split() for line in path.read_text().splitlines() if line and not line.startswith("#")]
    for line in lines:
        if len(line) != 3:
            raise DevelopmentBrokerError(f"{path}: expected 'coordinate file sha256', found '{' '.join(line)}'")
    return [Jar(*line) for line in lines]


def fetch_jar(jar: Jar, repository: Path) -> Path:
    """Download `jar` into the Maven repository folder `repository`, or raise DevelopmentBrokerError."""
    context = MavenContext(repo_cache=repository, timeout=_TIMEOUT_S)
    artifact = context.create_dependency(jar.coordinate).artifact
    try:
        return Path(artifact.resolve())
    except (requests.RequestException, RuntimeError, OSError) as problem:
        raise DevelopmentBrokerError(
            f"cannot download {jar.coordinate}: {problem}; check the network or HTTPS_PROXY, then try again"
        ) from problem


def ensure_jars(folder: Path, jars: Sequence[Jar], fetch: Fetch = fetch_jar) -> list[Path]:
    """Return the paths of `jars` in `folder`, in order, downloading what is missing.

    Raises DevelopmentBrokerError if a download fails or a file's SHA-256 is not the locked one.
    """
    with locked(folder / ".lock"):
        missing = [jar for jar in jars if not (folder / jar.file).exists()]
        if missing:
            _download(missing, folder, fetch)
    for jar in jars:
        verify(jar, folder / jar.file)
    return [folder / jar.file for jar in jars]


def verify(jar: Jar, path: Path) -> None:
    """Raise DevelopmentBrokerError if the SHA-256 of the file at `path` is not the one locked for `jar`."""
    found = _sha256(path)
    if found != jar.sha256:
        raise DevelopmentBrokerError(
            f"{jar.file} is not the locked {jar.coordinate}: expected SHA-256 {jar.sha256}, found {found}; "
            f"delete {path} and try again; if it stays wrong, distrust the network or proxy it came through"
        )


def write_lock(path: Path = LOCK_FILE, coordinates: Iterable[str] = COORDINATES) -> list[Jar]:
    """Resolve `coordinates` with all that they need at run time, and write the lock file for them."""
    with tempfile.TemporaryDirectory(prefix="sluice-maven-") as repository:
        context = MavenContext(repo_cache=Path(repository), timeout=_TIMEOUT_S)
        wanted = [context.create_dependency(coordinate) for coordinate in coordinates]
        inputs, transitive = context.resolver.resolve(wanted)
        needed = [*inputs, *(found for found in transitive if found.scope in ("compile", "runtime"))]
        jars = sorted((_jar_of(found.artifact) for found in needed), key=lambda jar: jar.coordinate)
    path.write_text(_HEADER + "".join(f"{jar.coordinate} {jar.file} {jar.sha256}\n" for jar in jars))
    return jars


def _download(jars: Sequence[Jar], folder: Path, fetch: Fetch) -> None:
    console = Console(stderr=True, soft_wrap=True)
    title = f"Downloading Apache Kafka to {folder} (jars: {len(jars)})"
    if not console.is_terminal:
        console.print(title, highlight=False, markup=False)
    with (
        tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as repository,
        ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool,
    ):
        downloads = [pool.submit(_install, jar, folder, Path(repository), fetch) for jar in jars]
        done = as_completed(downloads)
        for download in track(done, title, len(jars), console=console, disable=not console.is_terminal):
            download.result()


def _install(jar: Jar, folder: Path, repository: Path, fetch: Fetch) -> None:
    downloaded = fetch(jar, repository)
    verify(jar, downloaded)
    # A rename in one file system: other processes see the whole jar or none.
    downloaded.replace(folder / jar.file)


def _jar_of(artifact: Any) -> Jar:  # noqa: ANN401 - jgo ships no usable type for it
    coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
    return Jar(coordinate, artifact.filename, _sha256(Path(artifact.resolve())))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@click.command()
@click.option("--lock", is_flag=True, help="Resolve the coordinates anew and rewrite the lock file.")
def main(lock: bool) -> None:
    """Show the locked jars, or renew the lock."""
    jars = write_lock() if lock else read_lock()
    for jar in jars:
        click.echo(f"{jar.coordinate} {jar.file} {jar.sha256}")


if __name__ == "__main__":
    main()
