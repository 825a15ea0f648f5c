"""What is in force, as people and programs read it."""

from pathlib import Path
from typing import Any

import msgspec

from app.models.repository import versions
from app.registry.commanding import InForce, Outcome
from schemas.control import ModelControl, ModelStatus


def listed(found: InForce, repository: Path, now_ms: int) -> list[dict[str, Any]]:
    """Every model that is in the repository, in force or run by a worker."""
    stored = [path.name for path in sorted(repository.iterdir()) if path.is_dir()] if repository.is_dir() else []
    names = sorted({*(name for name in stored if versions(repository, name)), *found.controls} | _run_by(found))
    return [
        {
            "name": name,
            "versions": [str(version) for version in versions(repository, name)],
            "control": _control(found.control(name)),
            "workers": [_worker(one, now_ms) for one in found.statuses if one.name == name],
        }
        for name in names
    ]


def _run_by(found: InForce) -> set[str]:
    return {one.name for one in found.statuses}


def _control(control: ModelControl) -> dict[str, Any] | None:
    return dict(msgspec.to_builtins(control)) if control.revision else None


def _worker(status: ModelStatus, now_ms: int) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(status)
    del told["name"], told["at"]
    return told | {"told_s_ago": round((now_ms - status.at) / 1000, 1)}


def outcome(done: Outcome) -> dict[str, Any]:
    """What became of a command."""
    return {
        "model": done.control.name,
        "revision": done.control.revision,
        "serving": done.control.serving,
        "previous": done.control.previous,
        "shadow": done.control.shadow,
        "canary": done.control.canary,
        "canary_share": done.control.canary_share,
        "workers": [f"{one.group}/{one.instance} runs {one.serving}" for one in done.answers],
        "silent": list(done.silent),
        "refused": done.refusals,
        "withdrawn": done.withdrawn,
    }


def table(lines: list[dict[str, Any]]) -> None:
    """Print the list for people, on standard output."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for line in lines:
        console.print(Text(f"{line['name']}: versions {', '.join(line['versions']) or '–'}", style="bold"))
        console.print(Text(f"  {_in_words(line['control'])}"))
        if not line["workers"]:
            console.print(Text("  no worker runs it"))
            continue
        grid = Table(box=None, pad_edge=True)
        for column in ("worker", "serves", "shadow", "canary", "trials", "refused", "told"):
            grid.add_column(column, overflow="fold")
        for worker in line["workers"]:
            grid.add_row(*(Text(cell) for cell in _cells(worker)))
        console.print(grid)


def _in_words(control: dict[str, Any] | None) -> str:
    if control is None:
        return "the settings of the workers decide"
    parts = [f"revision {control['revision']} ({control['reason']})", f"serves {control.get('serving') or 'as set'}"]
    if control.get("previous"):
        parts.append(f"before {control['previous']}")
    if control.get("shadow"):
        parts.append(f"shadow {control['shadow']}")
    if control.get("canary"):
        parts.append(f"canary {control['canary']} for {control['canary_share']:.0%} of the users")
    return ", ".join(parts)


def _cells(worker: dict[str, Any]) -> list[str]:
    canary = f"{worker['canary']} ({worker['canary_share']:.0%})" if worker.get("canary") else "–"
    refused = "; ".join(f"{one['version']}: {one['reason']}" for one in worker.get("refused", []))
    trials = "; ".join(_trial(one) for one in worker.get("trials", []))
    return [
        f"{worker['group']}/{worker['instance']}",
        worker["serving"],
        worker.get("shadow", "–"),
        canary,
        trials or "–",
        refused or "–",
        f"{worker['told_s_ago']:.0f} s ago",
    ]


def _trial(one: dict[str, Any]) -> str:
    parts = [f"{one['role']} {one['version']}: {one['events']:,} scores", f"apart {one['difference']:.4f}"]
    for name, label in (("agreement", "same intent"), ("shift", "PSI"), ("latency", "time ×")):
        if one.get(name) is not None:
            parts.append(f"{label} {one[name]:.2f}")
    return ", ".join(parts)
