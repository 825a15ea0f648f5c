"""One model of a worker: the versions that are loaded, which of them serves, and what is on trial beside it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Generic, Protocol

import numpy as np

from app.effects import Effects, Tried
from app.models.runtime import IntentScorer, RiskScorer
from app.models.side_states import SideStates
from app.models.trial import Canary, Failure, Scorer, Shadow, Trial, canary_salt
from app.registry.guard import FaultKind, Role, Sample
from app.state.rows import HIDDEN_UNITS
from app.step import Models
from app.text.recogniser import TextReader, Understood
from schemas.control import ModelControl

TEXT_TRIALS: Final = "a model of texts has no shadow and no canary: promote it, and roll it back if need be"


class Slot(Protocol):
    """What the registry needs to know of a model, whatever its kind."""

    name: str
    is_paced: bool
    """Whether the times of its versions can be compared."""

    @property
    def serving(self) -> str:
        """The version that serves."""
        ...

    @property
    def shadow(self) -> str | None:
        """The version that scores unseen."""
        ...

    @property
    def canary(self) -> tuple[str, float] | None:
        """The version that scores a share of the users, and the share."""
        ...

    @property
    def on_probation(self) -> bool:
        """Whether the version that served before is asked beside the one that serves."""
        ...

    def refused(self, control: ModelControl) -> dict[str, str]:
        """The versions that a control record wants and that this kind of model cannot have, with the reason."""
        ...

    def missing(self, versions: set[str]) -> list[str]:
        """Those of ``versions`` that are not loaded."""
        ...

    def load(self, version: str) -> Callable[[], None]:
        """Load a version, off the event loop; what is returned puts it beside the others, on the event loop.

        Raises:
            Refused: it does not run here.
        """
        ...

    def serve(self, version: str, *, on_probation: bool) -> None:
        """A loaded version serves from the next step on; on probation, the one before scores beside it, unseen."""
        ...

    def end_probation(self) -> None:
        """The version before is no more asked, from the next step on."""
        ...

    def try_(self, control: ModelControl) -> None:
        """What the control record wants on trial is on trial from the next step on, if it is loaded."""
        ...

    def end_trial(self, role: Role) -> None:
        """A trial is over from the next step on."""
        ...

    def keep(self, versions: set[str]) -> None:
        """Forget every version but these and those in use."""
        ...

    def put(self, models: Models) -> Models:
        """``models`` with the versions of this slot."""
        ...

    def samples(self, effects: Effects) -> list[Sample]:
        """What the versions of this slot said in a step."""
        ...

    def errors(self) -> list[tuple[Role, str, FaultKind, str]]:
        """Versions that have failed, and how."""
        ...


@dataclass
class _Slot(Generic[Scorer]):
    name: str
    model: Scorer
    version: str
    loader: Callable[[str], Scorer]  # checked and warmed up; see `app.registry.loading`
    is_paced: bool = True
    trial: Trial[Scorer] = field(default_factory=Trial)
    loaded: dict[str, Scorer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.loaded[self.version] = self.model

    @property
    def serving(self) -> str:
        return self.version

    @property
    def shadow(self) -> str | None:
        return None if self.trial.shadow is None else self._version_of(self.trial.shadow.model)

    @property
    def canary(self) -> tuple[str, float] | None:
        canary = self.trial.canary
        return None if canary is None else (self._version_of(canary.model), canary.share)

    @property
    def on_probation(self) -> bool:
        return self.trial.replaced is not None

    def _version_of(self, model: Scorer) -> str:
        return next(version for version, one in self.loaded.items() if one is model)

    def refused(self, control: ModelControl) -> dict[str, str]:
        return {}

    def missing(self, versions: set[str]) -> list[str]:
        return sorted(versions - self.loaded.keys())

    def load(self, version: str) -> Callable[[], None]:
        model = self.loader(version)

        def put() -> None:
            self.loaded[version] = model

        return put

    def serve(self, version: str, *, on_probation: bool) -> None:
        before = self.model
        self.model, self.version = self.loaded[version], version
        # With another encoder both begin with no states, so that what is compared are the versions.
        replaced = Shadow(before, self._states(before)) if on_probation else None
        self.trial = replace(self.trial, replaced=replaced)

    def end_probation(self) -> None:
        self.trial = replace(self.trial, replaced=None)

    def try_(self, control: ModelControl) -> None:
        self.trial = replace(self.trial, canary=self._wanted_canary(control), shadow=self._wanted_shadow(control))

    def end_trial(self, role: Role) -> None:
        self.trial = replace(self.trial, **{role: None})

    def keep(self, versions: set[str]) -> None:
        used = {self.version, self.shadow, self.canary[0] if self.canary else None} | versions
        self.loaded = {version: model for version, model in self.loaded.items() if version in used}

    def errors(self) -> list[tuple[Role, str, FaultKind, str]]:
        canary, shadow, replaced = self.trial.canary, self.trial.shadow, self.trial.replaced
        failures: list[tuple[Role, Scorer, Failure | None]] = []
        if replaced is not None:
            failures.append(("serving", self.model, replaced.successor))
        if canary is not None:
            failures.append(("canary", canary.model, canary.failure))
        if shadow is not None:
            failures.append(("shadow", shadow.model, shadow.failure))
        return [
            (role, self._version_of(model), "failures" if failure.is_of_numbers else "error", failure.reason)
            for role, model, failure in failures
            if failure is not None
        ]

    def _wanted_canary(self, control: ModelControl) -> Canary[Scorer] | None:
        model = self.loaded.get(control.canary or "")
        if model is None or control.canary == self.version:
            return None
        held = self.trial.canary
        if held is not None and held.model is model and held.share == control.canary_share:
            return held
        return Canary(model, control.canary_share, canary_salt(self.name))

    def _wanted_shadow(self, control: ModelControl) -> Shadow[Scorer] | None:
        model = self.loaded.get(control.shadow or "")
        if model is None or control.shadow == self.version:
            return None
        held = self.trial.shadow
        states = self._states(model)
        if held is not None and held.model is model and (held.states is None) == (states is None):
            return held
        return Shadow(model, states)

    def _states(self, model: Scorer) -> SideStates | None:
        return None


class IntentSlot(_Slot[IntentScorer]):
    """The model that scores clicks."""

    def put(self, models: Models) -> Models:
        """See ``Slot``."""
        return replace(models, intent=self.model, intent_trial=self.trial)

    def samples(self, effects: Effects) -> list[Sample]:
        """See ``Slot``."""
        return [Sample(clicks.purchase, clicks.tried, clicks.intent) for clicks in effects.clicks]

    def _states(self, model: IntentScorer) -> SideStates | None:
        """A shadow whose states mean what the rows' mean needs none of its own."""
        shared = model.encoder is not None and model.encoder == self.model.encoder
        return None if shared else SideStates(HIDDEN_UNITS)


class RiskSlot(_Slot[RiskScorer]):
    """The model that scores orders."""

    def put(self, models: Models) -> Models:
        """See ``Slot``."""
        return replace(models, risk=self.model, risk_trial=self.trial)

    def samples(self, effects: Effects) -> list[Sample]:
        """See ``Slot``."""
        return [Sample(orders.probability, orders.tried) for orders in effects.orders]


class TextSlot(_Slot[TextReader]):
    """The model that reads texts: it has no trials, since a text is read once and remembered, whoever wrote it."""

    def put(self, models: Models) -> Models:
        """See ``Slot``."""
        before = self.trial.replaced
        return replace(models, text=self.model if before is None else NewReader(self.model, before))

    def samples(self, effects: Effects) -> list[Sample]:
        """Whether it gave numbers: its probability of a satisfied writer, where it told the intent."""
        read = [[one for one in clicks.texts if one is not None] for clicks in effects.clicks if clicks.texts]
        told = [[np.nan if one.intent is None else one.satisfied for one in texts] for texts in read if texts]
        return [Sample(np.array(scores, np.float32), Tried()) for scores in told]

    def refused(self, control: ModelControl) -> dict[str, str]:
        """See ``Slot``."""
        tried = [version for version in (control.shadow, control.canary) if version is not None]
        return dict.fromkeys(tried, TEXT_TRIALS)

    def _wanted_canary(self, control: ModelControl) -> None:
        return None

    def _wanted_shadow(self, control: ModelControl) -> None:
        return None


class NewReader:
    """A text model that is new: once it has raised, the one before reads, under its own version.

    Args:
        reader: the new one.
        before: noted is how its successor failed.
    """

    def __init__(self, reader: TextReader, before: Shadow[TextReader]) -> None:
        self.name, self.version = reader.name, reader.version
        self._reader = reader
        self._before = before

    def read(self, texts: Sequence[str]) -> list[Understood]:
        """See ``TextReader``."""
        if self._before.successor is not None:
            return self._before.model.read(texts)
        try:
            return self._reader.read(texts)
        except Exception as error:  # the one before is there for this
            self._before.successor = Failure.of(error)
            self.version = self._before.model.version
            return self._before.model.read(texts)
