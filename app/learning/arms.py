"""The arms of an experiment: what each version said to its users, and what came true of them.

What counts is said while both versions were at work: from the first output of the later one to the last of the one
that ended first. A canary takes users by a hash, so a user is in one arm for as long as the share stays. One who met
both versions meanwhile, because the share changed, is in none.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.cli.errors import UsageProblem
from app.learning.comparing import area, log_loss, precision
from app.learning.outputs import Published
from schemas.outputs import ModelRef
from schemas.topics import CLICKSTREAM

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


class _Scored(Protocol):
    user_id: str
    ts: int
    model: ModelRef


@dataclass(frozen=True, slots=True)
class Arms:
    """Who is in which arm: the ``version`` of each user, and how many met both from ``since`` to ``until``, ms."""

    control: str
    treatment: str
    version: Mapping[str, str]
    of_both: int
    since: int
    until: int

    def has(self, output: _Scored, version: str) -> bool:
        """Whether an output counts for the arm of a version."""
        return self.since <= output.ts <= self.until and self.version.get(output.user_id) == version


@dataclass(frozen=True, eq=False)
class Arm:
    """One arm: its users, and its rows by kind with the number of each one's user."""

    users: int
    tables: Mapping[str, "Table"]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of what came true."""
        return all(table.is_empty for table in self.tables.values())

    def figures(self, drawn: Ints | None = None) -> dict[str, float]:
        """Metrics of users that count as often as they were ``drawn`` [users]; all of them once where it is None."""
        counts = np.ones(self.users, np.int64) if drawn is None else drawn
        return {name: value for table in self.tables.values() for name, value in table.figures(counts).items()}


class Table(Protocol):
    """Rows with a user each."""

    @property
    def is_empty(self) -> bool:
        """Whether there are none."""
        ...

    def figures(self, counts: Ints) -> dict[str, float]:
        """Metrics where each user [users] counts so often; NaN where one cannot be told."""
        ...


class _Rows:
    """Rows of these users [n]."""

    def __init__(self, user: Ints) -> None:
        self._user = user

    @property
    def is_empty(self) -> bool:
        """See `Table`."""
        return len(self._user) == 0


class Scores(_Rows):
    """Probabilities [n] beside what came true [n], of these users [n]."""

    def __init__(self, user: Ints, probability: Floats, truth: Flags) -> None:
        super().__init__(user)
        self._probability, self._truth = probability, truth
        self._measures = {
            "auc": area(truth, probability),
            "average_precision": precision(truth, probability),
            "log_loss": log_loss(truth, probability),
        }

    def figures(self, counts: Ints) -> dict[str, float]:
        """See `Table`; ``calibration_error`` is how far the mean probability is from the share that came true."""
        weight = counts[self._user]
        if not weight.any():
            return dict.fromkeys((*self._measures, "calibration_error"), float("nan"))
        said, true = np.average(self._probability, weights=weight), np.average(self._truth, weights=weight)
        found = {name: measure(weight) for name, measure in self._measures.items()}
        return found | {"calibration_error": abs(float(said - true))}


class Sessions(_Rows):
    """Whether sessions [n] of these users [n] had a purchase."""

    def __init__(self, user: Ints, bought: Flags) -> None:
        super().__init__(user)
        self._bought = bought

    def figures(self, counts: Ints) -> dict[str, float]:
        """See `Table`."""
        weight = counts[self._user]
        return {"purchase_rate": float((weight * self._bought).sum() / weight.sum()) if weight.any() else float("nan")}


class Flagged(_Rows):
    """Orders [n] of these users [n] that were flagged, and that were bad."""

    def __init__(self, user: Ints, flagged: Flags, bad: Flags) -> None:
        super().__init__(user)
        self._flagged, self._bad = flagged, bad

    def figures(self, counts: Ints) -> dict[str, float]:
        """See `Table`; flagged is what is not of normal risk."""
        weight = counts[self._user]
        right = float((weight * (self._flagged & self._bad)).sum())
        flagged, bad = float((weight * self._flagged).sum()), float((weight * self._bad).sum())
        return {
            "precision": right / flagged if flagged else float("nan"),
            "recall": right / bad if bad else float("nan"),
        }


def arms_of(outputs: Sequence[_Scored], control: str | None, treatment: str | None) -> Arms:
    """The arms: those that are named, else the two versions with most outputs, the older one being the control.

    Raises:
        UsageProblem: outputs of fewer than two versions are there, or none of a named one.
    """
    counts = Counter(output.model.version for output in outputs)
    found = ", ".join(f"{version} ({count:,})" for version, count in counts.most_common()) or "none"
    rest = [version for version, _ in counts.most_common() if version not in (control, treatment)]
    wanted = 2 - (control is not None) - (treatment is not None)
    if len(rest) < wanted or any(version not in counts for version in (control, treatment) if version):
        raise UsageProblem(
            f"two arms are two versions with outputs, and there are: {found}; "
            "put a canary to work (`sluice models canary NAME/VERSION`), or name arms by --control and --treatment"
        )
    chosen = sorted(rest[:wanted], key=_age)
    control = control or chosen.pop(0)
    treatment = treatment or chosen.pop(0)
    times = [[output.ts for output in outputs if output.model.version == arm] for arm in (control, treatment)]
    since, until = max(min(times[0]), min(times[1])), min(max(times[0]), max(times[1]))
    versions: defaultdict[str, set[str]] = defaultdict(set)
    for output in outputs:
        if output.model.version in (control, treatment) and since <= output.ts <= until:
            versions[output.user_id].add(output.model.version)
    of_one = {user: next(iter(met)) for user, met in versions.items() if len(met) == 1}
    return Arms(control, treatment, of_one, len(versions) - len(of_one), since, until)


def intent_arm(published: Published, arms: Arms, version: str) -> Arm:
    """What one version said of purchases in sessions that are over.

    Where the clickstream was read, every click counts, and what it foresees is a purchase after it; else the first
    click of each session, and any purchase in it.
    """
    mine = [one for one in published.intents if arms.has(one, version)]
    sessions: defaultdict[str, list[int]] = defaultdict(list)
    for row, one in enumerate(mine):
        if one.session_id in published.bought:
            sessions[one.session_id].append(row)
    numbers = _numbers(one.user_id for one in mine)
    firsts = [rows[0] for rows in sessions.values()]
    bought = np.array([published.bought[session] for session in sessions], np.bool_)
    user = np.array([numbers[mine[row].user_id] for row in firsts], np.int64)
    tables: dict[str, Table] = {"sessions": Sessions(user, bought)}
    if CLICKSTREAM in published.seen:
        rows = [row for run in sessions.values() for row in run]
        truth = np.array([later for run in sessions.values() for later in _later(published, mine, run)], np.bool_)
        user = np.array([numbers[mine[row].user_id] for row in rows], np.int64)
    else:
        rows, truth = firsts, bought
    probability = np.array([mine[row].purchase_probability for row in rows], np.float64)
    tables["clicks"] = Scores(user, probability, truth)
    return Arm(len(numbers), tables)


def risk_arm(published: Published, arms: Arms, version: str, label_ms: int) -> Arm:
    """What one version said of orders with a label, or old enough for none to come (``label_ms``)."""
    until = max((one.ts for one in published.risks), default=0)
    known, bad = published.labels.joined([one.order_id for one in published.risks])
    rows = [
        row
        for row, one in enumerate(published.risks)
        if arms.has(one, version) and one.probability is not None and (known[row] or one.ts + label_ms < until)
    ]
    mine = [published.risks[row] for row in rows]
    numbers = _numbers(one.user_id for one in mine)
    user = np.array([numbers[one.user_id] for one in mine], np.int64)
    flagged = np.array([one.risk_level != "normal" for one in mine], np.bool_)
    probability = np.array([one.probability for one in mine], np.float64)
    return Arm(
        len(numbers), {"flags": Flagged(user, flagged, bad[rows]), "scores": Scores(user, probability, bad[rows])}
    )


def _later(published: Published, mine: Sequence[object], run: Sequence[int]) -> list[bool]:
    """Of each click of a session whether a purchase comes after it."""
    found, later = [], False
    for row in reversed(run):
        found.append(later)
        later = later or mine[row].source_event_id in published.purchases  # type: ignore[attr-defined]
    return found[::-1]


def _numbers(users: Iterable[str]) -> dict[str, int]:
    known: dict[str, int] = {}
    for user in users:
        known.setdefault(user, len(known))
    return known


def _age(version: str) -> tuple[int, str]:
    return (int(version), version) if version.isdecimal() else (-1, version)
