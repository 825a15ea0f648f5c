"""The page itself: one file that loads nothing."""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import Final

from app.report.charts import Share, bars, table
from app.report.collected import JudgedOrder
from app.report.summary import HIGHEST, SCORE_STEP, TOP, Summary
from schemas.outputs import ACTIONS

_STYLE: Final = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:820px;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
h1{font-size:1.5rem;margin-bottom:0}h2{font-size:1.1rem;margin:2.2rem 0 .3rem}p{margin:.3rem 0}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}tbody tr:hover{background:#8881}
td,th{text-align:left;padding:.2rem 1rem .2rem 0;border-bottom:1px solid #ddd;vertical-align:top}
td{overflow-wrap:anywhere}th{color:#666;font-weight:600;font-size:.85rem;white-space:nowrap}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td:last-child,th:last-child{padding-right:0}
svg{width:100%;height:auto}line{stroke:#8884}
.bar{fill:#7a9cc6}.hot{fill:#c0504d}text{font:10px system-ui,sans-serif;fill:#555}p.note{color:#666}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}td,th{border-color:#444}
text{fill:#aaa}th,p.note{color:#999}}
"""


def page(summary: Summary, title: str) -> str:
    """The report as HTML."""
    parts = [
        f"<h1>{escape(title)}</h1>",
        _what(summary),
        _section("Decisions", "", _decisions(summary)),
        _section("How right they were", _labels_note(summary), _right(summary)),
        _section("Money", "values of orders; what no label speaks of is neither fraud nor legitimate", _money(summary)),
        _section("Orders over time", "stopped ones in red", _volumes(summary)),
        _section("Scores", "orders by risk score, in red those that labels call fraud", _scores(summary)),
        _section("Rules", "precision among the hits that a label speaks of", _rules(summary)),
        _section("MITRE F3 techniques", "that the reasons of rules name", _techniques(summary)),
        _section("Who had most orders stopped", "the first of each kind", _entities(summary)),
        _section("Alerts", "by their strongest reason, sessions and rules put in shadow included", _alerts(summary)),
        _section("Subjects of alerts", "", table(("subject", "orders or sessions"), summary.subjects())),
        _section("False positives", _most("stopped orders that a label calls legitimate"), _false_positives(summary)),
        _section("Missed frauds", _most("orders that were let through and that a label calls fraud"), _missed(summary)),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    style = f"<style>{_STYLE}</style>"
    return f'<!doctype html><html lang="en"><head>{head}{style}</head><body>{"".join(parts)}</body></html>\n'


def when(ts: int) -> str:
    """A time in ms as people read it, UTC."""
    return datetime.fromtimestamp(ts / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _what(summary: Summary) -> str:
    if summary.span is None:
        return '<p class="note">There are no orders in this span.</p>'
    first, last = summary.span
    judges = ", ".join(summary.judges)
    said = f"{len(summary.orders):,} orders from {when(first)} to {when(last)} UTC, judged by {judges}."
    return f'<p class="note">{escape(said)}</p>'


def _decisions(summary: Summary) -> str:
    count = max(len(summary.orders), 1)
    rows = [(action, summary.actions[action], Share(summary.actions[action] / count)) for action in ACTIONS]
    rows += [("– not assessed by the model", summary.unassessed, Share(summary.unassessed / count))]
    rows += [("– without some velocities", summary.partial, Share(summary.partial / count))]
    return table(("decision", "orders", "share"), rows)


def _labels_note(summary: Summary) -> str:
    return (
        f"by labels, which speak of {summary.labelled:,} orders so far; where they come as chargebacks alone, "
        "few of the legitimate orders are among those, and precision looks better than it is"
    )


def _right(summary: Summary) -> str:
    through = [order for order in summary.orders if not order.is_stopped]
    rows = [
        ("stopped: review, block or freeze", *summary.outcomes(summary.stopped)),
        ("let through", *summary.outcomes(through)),
    ]
    shares = f"precision of what was stopped {Share(summary.precision)}, recall {Share(summary.recall)}"
    return table(("", "fraud", "legitimate", "no label"), rows) + f"<p>{shares}</p>"


def _money(summary: Summary) -> str:
    rows = [
        (currency, each.orders, each.stopped, each.fraud_stopped, each.fraud_let_through, each.legitimate_stopped)
        for currency, each in summary.money().items()
    ]
    names = ("currency", "orders", "stopped", "fraud stopped", "fraud let through", "legitimate stopped")
    return table(names, rows)


def _volumes(summary: Summary) -> str:
    return bars([(when(ts), orders, stopped) for ts, orders, stopped in summary.volumes()], "stopped")


def _scores(summary: Summary) -> str:
    return bars([(_range(score), orders, frauds) for score, orders, frauds in summary.scores()], "fraud")


def _range(score: int) -> str:
    return f"{score}" if score == HIGHEST else f"{score}–{score + SCORE_STEP - 1}"


def _rules(summary: Summary) -> str:
    rows = [
        (
            rule,
            each.hits["live"],
            each.hits["shadow"],
            each.frauds,
            each.legitimate,
            each.unlabelled,
            Share(each.precision),
        )
        for rule, each in summary.rules().items()
    ]
    return table(("rule", "live", "shadow", "fraud", "legitimate", "no label", "precision"), rows)


def _techniques(summary: Summary) -> str:
    return table(("technique", "orders", "stopped", "fraud"), summary.techniques())


def _entities(summary: Summary) -> str:
    rows = [(each.kind, each.id, each.stopped, each.orders, each.frauds) for each in summary.entities()]
    return table(("", "who", "stopped", "orders", "fraud"), rows)


def _alerts(summary: Summary) -> str:
    rows = [(kind, reason, severity, count) for (kind, severity, reason), count in summary.kinds_of_alerts()]
    return table(("kind", "reason", "severity", "alerts"), rows)


def _most(what: str) -> str:
    return f"{what}, at most {TOP}, those of largest value first"


def _false_positives(summary: Summary) -> str:
    return _mistakes(summary, summary.worst(summary.false_positives))


def _missed(summary: Summary) -> str:
    return _mistakes(summary, summary.worst(summary.missed))


def _mistakes(summary: Summary, orders: Iterable[JudgedOrder]) -> str:
    rows = [
        (
            order.order_id,
            when(order.ts),
            _value(summary.value(order)),
            order.action,
            "–" if order.score is None else order.score,
            "; ".join(order.reasons[:2]) or "–",
        )
        for order in orders
    ]
    return table(("order", "time", "value", "decision", "score", "why"), rows)


def _value(value: tuple[float, str] | None) -> str:
    return "–" if value is None else f"{value[0]:,.2f} {value[1]}"


def _section(title: str, note: str, content: str) -> str:
    said = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<section><h2>{escape(title)}</h2>{said}{content}</section>"
