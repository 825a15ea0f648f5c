"""The play of versions, as people read it."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def shown(figures: Mapping[str, Any]) -> None:
    """Print what happened, act by act, and the sum, on standard output."""
    console = Console(highlight=False)
    table = Table(show_lines=True)
    for column in ("act", "workers", "the recommender saw", "waits, ms (p50 · p99 · max)", "the risk team saw"):
        table.add_column(column, overflow="fold")
    for act in figures["acts"]:
        table.add_row(*(Text(cell) for cell in _cells(act)))
    console.print(table)
    swaps = figures["swaps"]
    usual = swaps["longest_wait_in_a_quiet_stretch_ms"]
    console.print(
        f"{figures['clicks']:,} clicks: {figures['lost']} lost, {figures['repeated']} answered twice, "
        f"{figures['dead_letters']} dead letters"
    )
    console.print(
        f"{swaps['commands']} commands: no click around one waited longer than {swaps['longest_wait_ms']} ms; in a "
        f"quiet stretch as long, the longest wait is {usual['median']:g} ms (median of {swaps['quiet_stretches']}, "
        f"at most {usual['max']})"
    )


def _cells(act: Mapping[str, Any]) -> list[str]:
    saw = act["recommender"]
    versions = ", ".join(f"{version}: {count:,}" for version, count in saw["versions"].items())
    lost = f"; {saw['lost']} lost" if saw["lost"] else ""
    waits = saw["latency_ms"]
    ran = "\n".join(f"{who.partition('/')[2]} runs {version}" for who, version in act["workers"].items())
    command = f"\nanswered after {act['command_ms']} ms" if act["command_ms"] is not None else ""
    refused = "".join(f"\n{reason}" for reason in act["refused"])
    return [
        act["act"],
        (ran + command + refused).strip() or "–",
        versions + lost,
        f"{waits['p50']:.0f} · {waits['p99']:.0f} · {waits['max']:.0f}",
        "\n".join(act["risk_team"]) or "–",
    ]
