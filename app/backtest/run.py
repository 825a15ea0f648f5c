"""Run a backtest: the recording once for each ruleset."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.backtest.figures import changes, figures
from app.backtest.judging import LEGITIMATE, JudgedOrders, Outcomes, collected, judge
from app.learning.topics import read_back
from app.ops.settings import Settings
from app.replay.recording import open_recording
from app.rules.book import RuleBook
from app.state.columns import Lifetimes
from app.training.progress import Silent
from app.worker.run import load_models


def backtested(
    settings: Settings, book: RuleBook, other: RuleBook | None, files: Sequence[Path], kind: str
) -> dict[str, Any]:
    """What ``book`` would have done with the orders of ``files``, and what it would have decided otherwise.

    Raises:
        UsageProblem: a file is not of its kind, or a model is missing.
    """
    models = load_models(settings)
    lifetimes = Lifetimes(settings.session_gap_ms, settings.history_ttl_ms, settings.grace_ms)
    return _compared(
        book, other, lambda each: judge(open_recording(files, kind), replace(models, rules=each), lifetimes, _quiet)
    )


def backtested_on_topics(settings: Settings, book: RuleBook, other: RuleBook | None) -> dict[str, Any]:
    """The same with the orders that the input topics of the broker hold.

    Raises:
        UsageProblem: no broker answers, topics are missing, or a model is.
    """
    models = load_models(settings)

    def judged(each: RuleBook) -> tuple[JudgedOrders, Outcomes]:
        found, _ = read_back(replace(models, rules=each), settings, Silent())
        known = {order: label != LEGITIMATE for order, label in found.labels.by_order.items()}
        return collected(found.orders, found.met), Outcomes(known, without_order=found.labels.of_users)

    return _compared(book, other, judged)


def _compared(
    book: RuleBook, other: RuleBook | None, judged: Callable[[RuleBook], tuple[JudgedOrders, Outcomes]]
) -> dict[str, Any]:
    after, outcomes = judged(book)
    found = figures(book.ruleset, after, outcomes)
    if other is not None:
        before, outcomes = judged(other)
        found["against"] = figures(other.ruleset, before, outcomes) | {"changes": changes(before, after, outcomes)}
    return found


def _quiet(_: int) -> None:
    """Nobody looks at the progress."""
