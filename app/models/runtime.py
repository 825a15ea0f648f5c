"""The models a worker runs: numbers in, scores out. Needs `onnxruntime` alone of the machine-learning libraries."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from app.cli.errors import UsageProblem
from app.drift.distribution import Distribution
from app.features.clicks import CLICK_FEATURES
from app.features.inputs import RISK_INPUTS, OrderInputs, UnknownInputs
from app.models.in_turn import PREFIX, STATE, in_turn, turn_outputs
from app.models.manifest import ScoreMapping
from app.models.repository import StoredModel, read_model
from app.models.session import Provider, Session, open_session, session_of
from app.state.rows import HIDDEN_UNITS

Floats = NDArray[np.float32]


class IntentScores(NamedTuple):
    """Of n clicks: the recurrent states after them [n, H], the probabilities of the intents [n, 7] (in the order of
    `schemas.outputs.INTENTS`, each row sums to 1) and of a purchase later in the session [n], and what else the model
    says, by the columns of `app.models.outlook.OUTLOOK` [n, 26]; None if it says nothing else."""

    hidden: Floats
    probabilities: Floats
    purchase: Floats
    outlook: Floats | None = None


@dataclass(frozen=True, slots=True)
class RiskScores:
    """Of n orders: the calibrated probability of fraud [n], and what each input adds to its log-odds [n, inputs]."""

    probability: Floats
    contributions: Floats


class IntentScorer(Protocol):
    """What scores clicks."""

    @property
    def name(self) -> str:
        """Its folder in the repository."""
        ...

    @property
    def version(self) -> str:
        """Its folder's folder, a whole number."""
        ...

    @property
    def encoder(self) -> str | None:
        """What its states mean: a version with the same one goes on from them; None where no other does."""
        ...

    def score(self, features: Floats, hidden: Floats) -> IntentScores:
        """Scores of clicks of n different users, from features [n, F] and recurrent states [n, H]."""
        ...

    def score_in_turn(self, features: Floats, hidden: Floats) -> IntentScores:
        """Scores of t clicks of each of n users one after the other, from features [t, n, F] and states [n, H].

        The states [n, H] are those after all turns; the probabilities are [t, n, 7], [t, n] and [t, n, 26].
        """
        ...


class RiskScorer(Protocol):
    """What scores orders."""

    @property
    def name(self) -> str:
        """Its folder in the repository."""
        ...

    @property
    def version(self) -> str:
        """Its folder's folder, a whole number."""
        ...

    @property
    def mapping(self) -> ScoreMapping:
        """How its probabilities become risk scores."""
        ...

    @property
    def inputs(self) -> OrderInputs:
        """What it is given of an order."""
        ...

    def score(self, features: Floats) -> RiskScores:
        """Scores of n orders, from its inputs [n, inputs]."""
        ...


class TurnByTurn:
    """Scores one turn after the other, for scorers that have no faster way."""

    def score_in_turn(self: IntentScorer, features: Floats, hidden: Floats) -> IntentScores:
        """See `IntentScorer.score_in_turn`."""
        turns: list[IntentScores] = []
        for turn in features:
            turns.append(self.score(turn, turns[-1].hidden if turns else hidden))
        _, probabilities, purchase, outlook = zip(*turns, strict=True)
        more = None if outlook[0] is None else np.stack(outlook)
        return IntentScores(turns[-1].hidden, np.stack(probabilities), np.stack(purchase), more)


class IntentModel:
    """A click model of the repository; states may go on from one version to another with the same ``encoder``.

    Args:
        graph: its file.
        name: its folder in the repository.
        version: its folder's folder.
        encoder: what its states mean.
        opened: makes a session of a graph.
        distribution: of what it learned from; None where its manifest does not say.
        units: numbers of a state.
    """

    def __init__(
        self,
        graph: bytes,
        name: str,
        version: str,
        encoder: str | None = None,
        opened: Callable[[bytes], Session] = session_of,
        distribution: Distribution | None = None,
        units: int = HIDDEN_UNITS,
    ) -> None:
        self._run = opened(graph).run
        self._run_in_turn = opened(in_turn(graph)).run
        self._outputs = [STATE[1], *turn_outputs(graph)]
        self.name = name
        self.version = version
        self.encoder = encoder
        self.distribution = distribution
        self.units = units

    def score(self, features: Floats, hidden: Floats) -> IntentScores:
        """See `IntentScorer.score`."""
        # A plain run() is the fastest of ONNX Runtime's calls here; IO binding and OrtValues cost 40 us more.
        after, probabilities, purchase, *more = self._run(self._outputs, {"features": features, "hidden": hidden})
        return IntentScores(after, probabilities, purchase[:, 0], *more)

    def score_in_turn(self, features: Floats, hidden: Floats) -> IntentScores:
        """See `IntentScorer.score_in_turn`."""
        feeds = {PREFIX + "features": features, PREFIX + "hidden": hidden}
        after, probabilities, purchase, *more = self._run_in_turn([PREFIX + name for name in self._outputs], feeds)
        return IntentScores(after, probabilities, purchase[..., 0], *more)


class RiskModel:
    """An order model of the repository; its ``mapping`` makes risk scores of its probabilities."""

    def __init__(
        self,
        session: Session,
        name: str,
        version: str,
        mapping: ScoreMapping,
        distribution: Distribution | None = None,
        inputs: OrderInputs = RISK_INPUTS,
    ) -> None:
        self._run = session.run
        self.inputs = inputs
        self.name = name
        self.version = version
        self.mapping = mapping
        self.distribution = distribution

    def score(self, features: Floats) -> RiskScores:
        """See `RiskScorer.score`."""
        starts = range(0, max(len(features), 1), _AT_ONCE)
        scored = [self._part(features[start : start + _AT_ONCE]) for start in starts]
        probability, contributions = map(np.concatenate, zip(*scored, strict=True))
        return RiskScores(probability, contributions)

    def _part(self, features: Floats) -> tuple[Floats, Floats]:
        probability, contributions = self._run(_RISK_OUTPUTS, {"features": _apart(features)})
        return probability[::_APART, 0], contributions[::_APART]


_AT_ONCE = 512
"""Orders that the model gets at once. ONNX Runtime keeps the memory of the largest run: 8,192 orders at once need
500 MB, and each of them a third more time than here."""

_APART = 4
"""Rows of 4-byte numbers that are so far apart begin at the same place of a 16-byte register. The last bit of ONNX
Runtime's sums and logarithms depends on that place: so a score does not depend on the orders beside it."""


def _apart(features: Floats) -> Floats:
    """``features`` [n, G] with rows of zeros after each."""
    spaced = np.zeros((len(features) * _APART, features.shape[1]), np.float32)
    spaced[::_APART] = features
    return spaced


_RISK_OUTPUTS = ["probability", "contributions"]


def load_intent(
    repository: Path, name: str = "intent", version: str | None = None, provider: Provider = "auto"
) -> IntentModel:
    """The click model ``name``, its newest version if None.

    Raises:
        UsageProblem: it is missing, damaged, or made for other features or another size of state.
    """
    stored = read_model(repository, "intent", name, version, [feature.name for feature in CLICK_FEATURES])
    if stored.manifest.hidden_units != HIDDEN_UNITS:
        raise UsageProblem(
            f"{stored.path} has {stored.manifest.hidden_units} hidden units and rows have room for {HIDDEN_UNITS}; "
            "run `sluice train intent` without --units"
        )
    manifest = stored.manifest
    opened = partial(_opened, stored, provider)
    return IntentModel(stored.graph, manifest.name, manifest.version, manifest.encoder, opened, _distribution(stored))


def _opened(stored: StoredModel, provider: Provider, graph: bytes) -> Session:
    return open_session(replace(stored, graph=graph), provider)


def load_risk(
    repository: Path, name: str = "risk", version: str | None = None, provider: Provider = "auto"
) -> RiskModel:
    """The order model ``name``, its newest version if None.

    Raises:
        UsageProblem: it is missing, damaged, or made for other features.
    """
    stored = read_model(repository, "risk", name, version, None)
    manifest, inputs = stored.manifest, _inputs(stored)
    session, mapping = open_session(stored, provider), mapping_of(stored)
    return RiskModel(session, manifest.name, manifest.version, mapping, _distribution(stored), inputs)


def _inputs(stored: StoredModel) -> OrderInputs:
    try:
        return OrderInputs(stored.manifest.features)
    except UnknownInputs as unknown:
        raise UsageProblem(
            f"{stored.path} was trained on other features than this version computes (there is no {unknown} here); "
            "run `sluice train risk`, or name a version that fits"
        ) from None


def distribution_of(model: IntentScorer | RiskScorer) -> Distribution | None:
    """How what a model learned from was distributed; None for one that does not say."""
    found: Distribution | None = getattr(model, "distribution", None)
    return found


def _distribution(stored: StoredModel) -> Distribution | None:
    manifest = stored.manifest
    if manifest.reference is None:
        return None
    try:
        return Distribution(manifest.reference, manifest.features)
    except ValueError as error:
        raise UsageProblem(
            f"the manifest of {stored.path} has a reference that does not fit its features ({error}); "
            f"run `sluice train {manifest.kind}`"
        ) from error


def mapping_of(stored: StoredModel) -> ScoreMapping:
    """How the probabilities of a stored model become risk scores.

    Raises:
        UsageProblem: its manifest does not say.
    """
    mapping = stored.manifest.score_mapping
    if mapping is None or not 0 < mapping.p_elevated < mapping.p_highest < 1:
        raise UsageProblem(f"the manifest of {stored.path} has no valid score_mapping; run `sluice train risk`")
    return mapping
