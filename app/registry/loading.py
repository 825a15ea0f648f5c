"""A version on its way into a worker: read, loaded, warmed up, and asked for its golden batch; or refused."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import numpy as np

from app.cli.errors import UsageProblem
from app.features.clicks import CLICK_FEATURES
from app.features.orders import ORDER_FEATURES
from app.models.golden import check_golden
from app.models.manifest import MANIFEST_FILE, MODEL_FILE, Kind, read_manifest
from app.models.runtime import IntentScorer, RiskScorer, load_intent, load_risk
from app.models.session import Provider, session_of
from app.models.text import load_text
from app.models.trial import Scorer
from app.state.rows import HIDDEN_UNITS
from app.text.recogniser import TextReader

_TURN_S = 0.0005
_SIZES = (1, 64, 1024)
_TURNS = 3
_TEXTS = ("red shoes under 200", "我想买一件白色的羽绒服", "?")


class Refused(Exception):
    """A version that this worker does not run: the message says why."""


@contextmanager
def short_turns() -> Iterator[None]:
    """Let threads take turns often: else whoever steps meanwhile waits for a loading thread each time it lets go.

    It costs a tenth of the time, for as long as a load takes.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


@dataclass(frozen=True, slots=True)
class Loader(Generic[Scorer]):
    """How versions of a kind of model are loaded and warmed up."""

    kind: Kind
    load: Callable[[Path, str, str | None, Provider], Scorer]
    warm_up: Callable[[Scorer], None]

    def checked(self, repository: Path, name: str, version: str, provider: Provider) -> Scorer:
        """The version, ready to score.

        Raises:
            Refused: it is not there, is damaged, does not fit, or does not give its golden batch again.
        """
        try:
            model = self.load(repository, name, version, provider)
            _check_golden(repository / name / version)
            self.warm_up(model)
        except UsageProblem as problem:
            raise Refused(problem.message) from problem
        except Exception as error:  # whatever a model file makes the libraries do, the worker goes on
            raise Refused(f"it does not run: {type(error).__name__}: {error}") from error
        return model


def _check_golden(folder: Path) -> None:
    manifest = read_manifest(folder / MANIFEST_FILE)
    if manifest.golden is None:
        raise UsageProblem(f"{folder} has no golden batch to be checked by; store it again with this build's training")
    dtypes = {tensor.name: tensor.dtype for tensor in manifest.inputs}
    check_golden(session_of((folder / MODEL_FILE).read_bytes()), manifest.golden, dtypes)


def _warm_up_intent(model: IntentScorer) -> None:
    features, hidden = (np.zeros((max(_SIZES), n), np.float32) for n in (len(CLICK_FEATURES), HIDDEN_UNITS))
    for size in _SIZES:
        scores = model.score(features[:size], hidden[:size])
        _require_finite(scores.hidden, scores.probabilities, scores.purchase)
    turns = model.score_in_turn(np.broadcast_to(features[:1], (_TURNS, 1, features.shape[1])).copy(), hidden[:1])
    _require_finite(turns.hidden, turns.probabilities, turns.purchase)


def _warm_up_risk(model: RiskScorer) -> None:
    features = np.zeros((max(_SIZES), len(ORDER_FEATURES)), np.float32)
    inputs = model.inputs.of(features, None)  # nothing is known of the entities
    for size in _SIZES:
        for rows in (inputs, np.nan_to_num(inputs)):
            scores = model.score(rows[:size])
            _require_finite(scores.probability, scores.contributions)


def _warm_up_text(reader: TextReader) -> None:
    if any(found.intent is None for found in reader.read(_TEXTS)):
        raise UsageProblem(f"it gives numbers that are not finite for {_TEXTS!r}")


def _require_finite(*columns: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    if not all(np.isfinite(column).all() for column in columns):
        raise UsageProblem("it gives numbers that are not finite for a row of zeros, or without velocities")


INTENT: Loader[IntentScorer] = Loader("intent", load_intent, _warm_up_intent)
RISK: Loader[RiskScorer] = Loader("risk", load_risk, _warm_up_risk)
TEXT: Loader[TextReader] = Loader("text", load_text, _warm_up_text)
LOADERS: Mapping[Kind, Loader[Any]] = {loader.kind: loader for loader in (INTENT, RISK, TEXT)}
