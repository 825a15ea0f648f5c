"""`sluice state`: look into a worker's state."""

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from app.cli.errors import UsageProblem
from app.cli.options import open_settings, setting_option


@click.group()
def state() -> None:
    """A worker's local state."""


@state.command()
@click.argument("key", metavar="KEY")
@setting_option("state_dir", "DIR")
@setting_option("instance", "NAME")
def get(key: str, state_dir: str | None, instance: str | None) -> None:
    """Print the row of the visitor KEY (a user_id or anonymous_id) as JSON; exit code 1 if there is none.

    It reads the local store, also while the worker runs: then it shows what was last written to disk, which may be
    minutes behind. When the worker stops it writes everything.
    """
    from app.state.describe import describe

    settings = open_settings(state_dir=state_dir, instance=instance)
    for partition, value in _found(settings.state_dir / settings.instance, key.encode()):
        row = {"partition": partition} | describe(key.encode(), value)
        click.echo(msgspec.json.format(msgspec.json.encode(row), indent=2).decode())
        return
    raise click.ClickException(f"there is no row of {key!r} in {settings.state_dir / settings.instance}")


def _found(folder: Path, key: bytes) -> Iterator[tuple[int, bytes]]:
    from app.state.store import StoreError, Stores
    from app.worker.assembly import TABLE, now_ms

    stores = Stores(folder / TABLE, now_ms)
    partitions = sorted(int(path.name) for path in (folder / TABLE).glob("[0-9]*"))
    if not partitions:
        raise UsageProblem(f"no worker has kept state in {folder}; name its folder with --state-dir and --instance")
    for partition in partitions:
        try:
            store = stores.open_read_only(partition)
        except StoreError as problem:
            raise UsageProblem(str(problem)) from problem
        try:
            if (value := store.get(key)) is not None:
                yield partition, value
        finally:
            store.close()
