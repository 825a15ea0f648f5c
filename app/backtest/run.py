"""Run a backtest: the recording once for each ruleset."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.backtest.figures import changes, figures
from app.backtest.judging import judge
from app.ops.settings import Settings
from app.replay.recording import open_recording
from app.rules.book import RuleBook
from app.state.columns import Lifetimes
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
    judged, outcomes = judge(open_recording(files, kind), replace(models, rules=book), lifetimes, _quiet)
    found = figures(book.ruleset, judged, outcomes)
    if other is not None:
        before, _ = judge(open_recording(files, kind), replace(models, rules=other), lifetimes, _quiet)
        found["against"] = figures(other.ruleset, before, outcomes) | {"changes": changes(before, judged, outcomes)}
    return found


def _quiet(_: int) -> None:
    """Nobody looks at the progress."""
