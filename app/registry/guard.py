"""Watches the scores of a model's versions, and says when one must go: numbers that are none, slowness, a shift.

A version that was promoted is held against the one it replaced, a canary against the version beside it. It is judged
by windows of scores, for as long as it is on probation.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.effects import Tried
from app.registry.distribution import Counts, Floats, counted, empty, shift
from schemas.control import Comparison

Role = Literal["serving", "canary", "shadow"]
FaultKind = Literal["error", "failures", "latency", "shift"]
Slowness = Callable[[str, str], float | None]
"""How many times as long as the second version the first takes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a version on probation may do at most.

    ``window`` and ``probation`` are numbers of scores, ``failures`` the share of scores that are not finite,
    ``slowdown`` times the model time of the other version, ``shift`` the population stability index.
    """

    window: int
    probation: int
    failures: float
    slowdown: float
    shift: float


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Scores [n] of one step and what the versions on trial had to do with them; of clicks also the intents [n]."""

    scores: Floats
    tried: Tried
    intent: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a version must go."""

    role: Role
    version: str
    kind: FaultKind
    reason: str


@dataclass
class _Arm:
    """Scores of one version."""

    events: int = 0
    failures: int = 0
    total: float = 0.0
    counts: Counts = field(default_factory=empty)

    def add(self, scores: Floats) -> None:
        finite = np.isfinite(scores)
        known = scores[finite]
        self.events += len(scores)
        self.failures += len(scores) - len(known)
        self.total += float(known.sum(dtype=np.float64))
        self.counts = self.counts + counted(known)

    @property
    def mean(self) -> float:
        return self.total / max(self.events - self.failures, 1)


@dataclass
class _Trial:
    """A version on trial beside the one that serves: both since it began, and both within the window."""

    role: Role
    version: str
    theirs: _Arm = field(default_factory=_Arm)
    mine: _Arm = field(default_factory=_Arm)
    window: _Arm = field(default_factory=_Arm)
    beside: _Arm = field(default_factory=_Arm)
    difference: float = 0.0
    compared: int = 0
    agreed: int = 0
    intents: int = 0

    def add(self, theirs: Floats, mine: Floats) -> None:
        for arm in (self.theirs, self.window):
            arm.add(theirs)
        for arm in (self.mine, self.beside):
            arm.add(mine)

    def add_pairs(self, sample: Sample, asked: NDArray[np.bool_], shadow: Floats) -> None:
        apart = np.abs(shadow - sample.scores)[asked]
        apart = apart[np.isfinite(apart)]
        self.difference += float(apart.sum(dtype=np.float64))
        self.compared += len(apart)
        if sample.intent is not None and sample.tried.shadow_intent is not None:
            self.agreed += int((sample.intent == sample.tried.shadow_intent)[asked].sum())
            self.intents += int(asked.sum())

    def comparison(self, latency: float | None) -> Comparison:
        apart = abs(self.theirs.mean - self.mine.mean)
        if self.role == "shadow":
            apart = self.difference / max(self.compared, 1)
        return Comparison(
            version=self.version,
            role=self.role,
            events=self.theirs.events,
            failures=self.theirs.failures,
            difference=round(apart, 6),
            shift=round(shift(self.mine.counts, self.theirs.counts), 4) if self.theirs.events else None,
            agreement=round(self.agreed / self.intents, 4) if self.intents else None,
            latency=None if latency is None else round(latency, 2),
        )


class Guard:
    """Of one model on one worker.

    Args:
        limits: of a version on probation.
        slowness: of one version relative to another.
        version: that serves.
    """

    def __init__(self, limits: Limits, slowness: Slowness, version: str) -> None:
        self._limits = limits
        self._slowness = slowness
        self._version = version
        self._enough = limits.window // 4  # scores of the other version, to compare with
        self._replaced: str | None = None
        self._left = 0  # scores until the probation of the version that serves is over
        self._new, self._old = _Arm(), _Arm()  # of it and of the version that it replaced, within the window
        self._trials: dict[Role, _Trial] = {}

    def serve(self, version: str, *, on_probation: bool) -> None:
        """Another version serves from here on; on probation it is held against the one that served before."""
        self._new, self._old = _Arm(), _Arm()
        on_probation = on_probation and self._limits.probation > 0
        self._replaced = self._version if on_probation else None
        self._left = self._limits.probation if on_probation else 0
        self._version = version

    def try_(self, role: Role, version: str | None) -> None:
        """A version is on trial from here on; None: no more."""
        held = self._trials.get(role)
        if version is None:
            self._trials.pop(role, None)
        elif held is None or held.version != version:
            self._trials[role] = _Trial(role, version)

    @property
    def on_probation(self) -> bool:
        """Whether the version that serves is held against another one."""
        return self._replaced is not None

    def comparisons(self) -> list[Comparison]:
        """What is on trial, beside the version that serves."""
        trials = self._trials.values()
        return [trial.comparison(self._slowness(trial.version, self._version)) for trial in trials]

    def observe(self, sample: Sample) -> list[Fault]:
        """Take the scores of a step in; tells what must go."""
        canary = sample.tried.canary
        mine = sample.scores if canary is None else sample.scores[~canary]
        asked = np.ones(len(sample.scores), np.bool_) if canary is None else ~canary
        faults = [self._of_serving(self._own(sample)[asked], _at(sample.tried.replaced, asked))]
        for role, trial in self._trials.items():
            if role == "canary" and canary is not None:
                trial.add(sample.scores[canary], mine)
            elif role == "shadow" and sample.tried.shadow is not None:
                trial.add(sample.tried.shadow[asked], mine)
                trial.add_pairs(sample, asked, sample.tried.shadow)
            faults.append(self._of_trial(trial))
        return [fault for fault in faults if fault is not None]

    def _own(self, sample: Sample) -> Floats:
        """The scores of the version that serves: none where the one before stood in for it."""
        stand_in = sample.tried.stand_in
        return sample.scores if stand_in is None else np.where(stand_in, np.float32(np.nan), sample.scores)

    def _of_serving(self, scores: Floats, replaced: Floats | None) -> Fault | None:
        if self._replaced is None:
            return None
        self._new.add(scores)
        if replaced is not None:
            self._old.add(replaced)
        self._left -= len(scores)
        fault = self._judge("serving", self._version, self._replaced, self._new, self._old)
        if self._new.events >= self._limits.window:
            self._new, self._old = _Arm(), _Arm()
            if self._left <= 0:
                self._replaced = None
        return fault

    def _of_trial(self, trial: _Trial) -> Fault | None:
        against = trial.beside if trial.role == "canary" else _Arm()  # a shadow may differ: that is its use
        fault = self._judge(trial.role, trial.version, self._version, trial.window, against)
        if trial.window.events >= self._limits.window:
            trial.window = _Arm()
            trial.beside = _Arm()
        return fault

    def _judge(self, role: Role, version: str, other: str, arm: _Arm, against: _Arm) -> Fault | None:
        limits = self._limits
        if arm.failures > limits.failures * limits.window:
            return Fault(role, version, "failures", f"{arm.failures} of {arm.events} scores are no finite numbers")
        if arm.events < limits.window:
            return None
        times = self._slowness(version, other)
        if times is not None and times > limits.slowdown:
            return Fault(role, version, "latency", f"it takes {times:.1f} times the model time of version {other}")
        if against.events >= self._enough and (moved := shift(against.counts, arm.counts)) > limits.shift:
            reason = f"its scores lie elsewhere than those of version {other} (PSI {moved:.2f})"
            return Fault(role, version, "shift", reason)
        return None


def _at(column: Floats | None, places: NDArray[np.bool_]) -> Floats | None:
    return None if column is None else column[places]
