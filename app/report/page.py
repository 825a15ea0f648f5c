"""The page itself: one file, charts as inline SVG, nothing loaded from anywhere."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

from app.report.summary import SCORE_STEP, Summary
from schemas.outputs import ACTIONS

_WIDTH, _HEIGHT, _BASE = 720, 160, 20
_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;max-width:760px;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.2rem .6rem .2rem 0;border-bottom:1px solid #ddd;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}svg{width:100%;height:auto}
.bar{fill:#7a9cc6}.hot{fill:#c0504d}text{font:10px system-ui,sans-serif;fill:#555}p.note{color:#666}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}td,th{border-color:#444}text{fill:#aaa}}
"""


def page(summary: Summary, title: str) -> str:
    """The report as HTML."""
    parts = [
        f"<h1>{escape(title)}</h1>",
        _overview(summary),
        _section("Orders over time", "stopped ones in red", _volumes(summary)),
        _section("Scores", "orders by risk score", _scores(summary)),
        _section("Rules", "precision among the hits that a label speaks of", _rules(summary)),
        _section("MITRE F3 techniques", "that the reasons of rules name", _techniques(summary)),
        _section("Who had most orders stopped", "of each kind the first ones", _entities(summary)),
        _section("Alerts", "by their strongest reason, sessions and rules put in shadow included", _alerts(summary)),
        _section("Subjects of alerts", "", _table(("subject", "count"), summary.subjects())),
        _section("False positives", "stopped orders that a label calls legitimate", _mistakes(summary)),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    style = f"<style>{_STYLE}</style>"
    return f'<!doctype html><html lang="en"><head>{head}{style}</head><body>{"".join(parts)}</body></html>\n'


def when(ts: int) -> str:
    """A time in ms as people read it, UTC."""
    return datetime.fromtimestamp(ts / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _overview(summary: Summary) -> str:
    rows: list[tuple[object, ...]] = [("orders", len(summary.orders)), ("labelled", summary.labelled)]
    rows += [("frauds", summary.frauds), ("frauds not stopped", len(summary.missed))]
    rows += [("precision of what was stopped", _share(summary.precision)), ("recall", _share(summary.recall))]
    rows += [("not assessed", summary.unassessed), ("alerts", len(summary.alerts))]
    rows += [(f"decided: {action}", summary.actions[action]) for action in ACTIONS]
    return _table(("", "count"), rows)


def _volumes(summary: Summary) -> str:
    found = summary.volumes()
    return _bars([(when(ts), orders, stopped) for ts, orders, stopped in found])


def _scores(summary: Summary) -> str:
    return _bars([(f"{step * SCORE_STEP}", summary.scores[step], 0) for step in range(100 // SCORE_STEP + 1)])


def _rules(summary: Summary) -> str:
    rows = [
        (rule, each.hits["live"], each.hits["shadow"], each.frauds, each.genuine, _share(each.precision))
        for rule, each in summary.rules().items()
    ]
    return _table(("rule", "live", "shadow", "frauds", "genuine", "precision"), rows)


def _techniques(summary: Summary) -> str:
    return _table(("technique", "orders", "stopped", "frauds"), summary.techniques())


def _mistakes(summary: Summary) -> str:
    rows = [
        (order.order_id, order.action, "–" if order.score is None else order.score, "; ".join(order.reasons[:2]))
        for order in summary.worst_mistakes()
    ]
    return _table(("order", "action", "score", "why"), rows)


def _entities(summary: Summary) -> str:
    rows = [(f"{each.kind} {each.id}", each.stopped, each.orders, each.frauds) for each in summary.entities()]
    return _table(("who", "stopped", "orders", "frauds"), rows)


def _alerts(summary: Summary) -> str:
    rows = [(f"{kind}: {reason}", severity, count) for (kind, severity, reason), count in summary.kinds_of_alerts()]
    return _table(("reason", "severity", "alerts"), rows)


def _section(title: str, note: str, content: str) -> str:
    said = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<h2>{escape(title)}</h2>{said}{content}"


def _table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f"<th{_number(place)}>{escape(name)}</th>" for place, name in enumerate(names))
    body = "".join(
        "<tr>" + "".join(f"<td{_number(place)}>{_cell(value)}</td>" for place, value in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>" if body else '<p class="note">none</p>'


def _number(place: int) -> str:
    return ' class="n"' if place else ""


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else escape(str(value))


def _bars(values: Sequence[tuple[str, int, int]]) -> str:
    """A bar chart; of each bar its label, its height, and how much of it is red."""
    most = max((value for _, value, _ in values), default=0)
    if not most:
        return '<p class="note">none</p>'
    width = _WIDTH / len(values)
    drawn = [_bar(place * width, width, value, most) for place, value in enumerate(values)]
    every = max(1, len(values) // 6)
    labels = [
        f'<text x="{place * width:.1f}" y="{_HEIGHT + 14}">{escape(values[place][0])}</text>'
        for place in range(0, len(values), every)
    ]
    top = f'<text x="0" y="10">{most:,}</text>'
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + _BASE}" role="img">{top}{"".join(drawn)}{"".join(labels)}</svg>'


def _bar(left: float, width: float, value: tuple[str, int, int], most: int) -> str:
    label, count, red = value
    title = f"<title>{escape(label)}: {count:,}{f', {red:,} stopped' if red else ''}</title>"
    return f"<g>{title}{_rectangle('bar', left, width, count / most)}{_rectangle('hot', left, width, red / most)}</g>"


def _rectangle(kind: str, left: float, width: float, share: float) -> str:
    height = share * (_HEIGHT - 14)
    if not height:
        return ""
    place = f'x="{left:.1f}" y="{_HEIGHT - height:.1f}" width="{max(width - 1, 0.5):.1f}" height="{height:.1f}"'
    return f'<rect class="{kind}" {place}/>'


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
