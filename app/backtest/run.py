"""Run a backtest: the recording once for each ruleset."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from app.backtest.figures import changes, figures
from app.backtest.judging import JudgedOrders, Judging, judge
from app.effects import Effects
from app.learning.labels import OrderLabels
from app.learning.reading import Gathered
from app.learning.topics import read_back
from app.ops.settings import Settings
from app.replay.recording import open_recording
from app.rules.book import RuleBook
from app.state.columns import Lifetimes
from app.training.progress import Reporter
from app.worker.run import load_models


def backtested(
    settings: Settings, book: RuleBook, other: RuleBook | None, files: Sequence[Path], kind: str, reporter: Reporter
) -> dict[str, Any]:
    """What ``book`` would have done with the orders of ``files``, and what it would have decided otherwise.

    Raises:
        UsageProblem: a file is not of its kind, or a model is missing.
    """
    models, recording = load_models(settings), open_recording(files, kind)
    lifetimes = Lifetimes(settings.session_gap_ms, settings.history_ttl_ms, settings.grace_ms)

    def judged(each: RuleBook) -> tuple[JudgedOrders, OrderLabels]:
        done = reporter.stage(f"events under {each.version}", recording.rows)
        return judge(recording, replace(models, rules=each), lifetimes, done)

    return _compared(book, other, judged)


@dataclass(eq=False)
class _Decided(Gathered):
    """Of the orders of the topics, what was decided on them and no more."""

    judging: Judging = field(default_factory=Judging)

    def take(self, effects: Effects) -> None:
        self.judging.take(effects)


def backtested_on_topics(
    settings: Settings, book: RuleBook, other: RuleBook | None, reporter: Reporter
) -> dict[str, Any]:
    """The same with the orders that the input topics of the broker hold.

    Raises:
        UsageProblem: no broker answers, topics are missing, or a model is.
    """
    models = load_models(settings)

    def judged(each: RuleBook) -> tuple[JudgedOrders, OrderLabels]:
        found = _Decided()
        read_back(replace(models, rules=each), settings, reporter, found)
        return found.judging.judged(), found.labels

    return _compared(book, other, judged)


def _compared(
    book: RuleBook, other: RuleBook | None, judged: Callable[[RuleBook], tuple[JudgedOrders, OrderLabels]]
) -> dict[str, Any]:
    after, labels = judged(book)
    found = figures(book.ruleset, after, labels)
    if other is not None:
        before, labels = judged(other)
        found["against"] = figures(other.ruleset, before, labels) | {"changes": changes(before, after, labels)}
    return found
