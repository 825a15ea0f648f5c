"""What the demo shows: a live table while it runs, on a terminal only, and the summary at its end."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.columns import Columns
from rich.console import Console, Group
from rich.json import JSON
from rich.live import Live
from rich.table import Table
from rich.text import Text

from app.demo.outcome import PURCHASE_THRESHOLD, Caught
from app.demo.watch import Standing
from schemas.topics import TOPICS

Show = Callable[[str, Standing], None]
"""Shows how far the act of that title is."""

SIMULATED = "The shop is simulated: its visitors, orders and frauds come from a random seed, so their truth is known."
_FAMILIAR = (
    "The models have learned from this simulation too, with other seeds: this shows that everything works together, "
    "and not how well it would do in your shop."
)


class Screen:
    """Progress goes to standard error, the summary to standard output."""

    def __init__(self) -> None:
        self._progress = Console(stderr=True, highlight=False)
        self._summary = Console(highlight=False)

    def say(self, line: str) -> None:
        """One line about what goes on."""
        self._progress.print(line, style="dim", soft_wrap=True)

    @contextmanager
    def live(self) -> Iterator[Show]:
        """A table that follows what is shown inside the block; nothing where there is no terminal."""
        self.say(SIMULATED)
        if not self._progress.is_terminal:
            yield lambda title, standing: None
            return
        started = time.monotonic()
        with Live(console=self._progress, transient=True, auto_refresh=False) as live:
            yield lambda title, standing: live.update(
                _standing(title, standing, time.monotonic() - started), refresh=True
            )

    def summary(
        self, figures: Mapping[str, Any], caught: Mapping[str, Caught], examples: Mapping[str, tuple[float, bytes]]
    ) -> None:
        """The end of the demo."""
        print_ = self._summary.print
        print_(Text(SIMULATED), "\n")
        print_(_figures(figures))
        print_(Text("\nagainst the shop's truth", style="bold"))
        print_(_truth(caught))
        print_(Text(_FAMILIAR, style="dim"))
        print_(Text(f"\nways of fraud, rules of {figures['ruleset']}, and alerts", style="bold"))
        print_(
            Columns(
                [_patterns(figures["patterns"]), _rules(figures["rules"]), _alerts(figures["alerts"])], padding=(0, 4)
            )
        )
        for topic in sorted(examples):
            _, value = examples[topic]
            print_(Text(f"\n{topic}, for example:", style="bold"))
            print_(JSON(value.decode(), indent=None), soft_wrap=True)


def _standing(title: str, standing: Standing, seconds: float) -> Group:
    table = Table(box=None, pad_edge=False)
    table.add_column("topic")
    table.add_column("records", justify="right")
    for topic in TOPICS:
        name = f"{'→' if topic.direction == 'in' else '←'} {topic.name}"
        table.add_row(name, f"{standing.records[topic.name]:,}")
    state = f"{seconds:.0f} s · {standing.left:,} records not committed yet"
    return Group(Text(title, style="bold"), table, Text(state, style="dim"))


def _figures(figures: Mapping[str, Any]) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("events in", f"{figures['events_in']:,}")
    for topic, count in figures["outputs"].items():
        table.add_row(f"  {topic}", f"{count:,}")
    for failure, count in figures["dead_letters"].items():
        table.add_row(f"  dead-letter, {failure}", f"{count:,}")
    table.add_row("events per second", f"{figures['events_per_second']:,} over {figures['seconds']:.1f} s")
    for what, latency in figures["latency_ms"].items():
        if latency:
            shown = " · ".join(f"{name} {latency[name]:.0f} ms" for name in ("p50", "p99"))
            table.add_row(f"latency of {what}, append to append", shown)
    for action, count in figures["actions"].items():
        if count:
            table.add_row(f"decided: {action}", f"{count:,}")
    return table


def _truth(caught: Mapping[str, Caught]) -> Table:
    titles = {
        "purchase": f"purchase follows: probability ≥ {PURCHASE_THRESHOLD:g}",
        "fraud": "fraud: review or block",
        "scraping": "a bot's session: a decision about it",
    }
    rows = [
        (
            titles[what],
            *(f"{number:,}" for number in (one.cases, one.true, one.flagged)),
            *map(_share, (one.precision, one.recall)),
        )
        for what, one in caught.items()
    ]
    return _table(("", "cases", "true", "flagged", "precision", "recall"), rows)


def _patterns(patterns: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = [(name.replace("_", " "), f"{one['orders']:,}", _share(one["recall"])) for name, one in patterns.items()]
    return _table(("way of fraud", "orders", "stopped"), rows)


def _rules(rules: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = [(name, f"{one['orders']:,}", _share(one["precision"])) for name, one in rules.items()]
    return _table(("rule", "orders", "precision"), rows)


def _alerts(alerts: Mapping[str, int]) -> Table:
    return _table(("alerts because of", "count"), [(reason, f"{count:,}") for reason, count in alerts.items()])


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(names):
        table.add_column(name, justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
