"""Why a score is what it is: the rules and lists that held, and the features that moved the model most."""

import math
from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray

from app.effects import ScoredOrders
from app.features.clicks import Feature
from app.features.words import in_words
from app.models.points import risk_points
from app.models.runtime import RiskScorer
from app.publish.judges import Judges
from schemas.outputs import MAX_REASONS, Reason

_SMALLEST_POINTS = 0.5
_NO_SCORE = Reason(
    "MODEL_FAILURE", "model", 0.0, "The model gave no finite number for this order; it must be looked at."
)


def order_reasons(scored: ScoredOrders, judges: Judges[RiskScorer]) -> list[list[Reason]]:
    """Of each order its reasons in points of its score, strongest first; the model's only where they are asked for."""
    found = [list(verdict.reasons) for verdict in scored.verdicts]
    explained = [place for place, verdict in enumerate(scored.verdicts) if verdict.is_explained]
    for place, of_model in zip(explained, _of_model(scored, explained, judges), strict=True):
        found[place] += of_model
    return [
        _strongest(reasons, verdict.acting, MAX_REASONS)
        if verdict.score is not None
        else [*_strongest(reasons, verdict.acting, MAX_REASONS - 1), _NO_SCORE]
        for reasons, verdict in zip(found, scored.verdicts, strict=True)
    ]


def techniques_of(reasons: Iterable[Reason]) -> list[str] | None:
    """The MITRE F3 techniques of ``reasons``, those of the first ones first; None if none names one."""
    return named(*(reason.technique for reason in reasons))


def named(*techniques: str | None) -> list[str] | None:
    """Those that there are, each once; None if there is none."""
    return list(dict.fromkeys(filter(None, techniques))) or None


def _strongest(reasons: list[Reason], acting: Collection[str], most: int) -> list[Reason]:
    """At most so many of them, strongest first; those that are ``acting`` stay, even without points."""
    found = sorted(reasons, key=lambda reason: -abs(reason.contribution))
    if len(found) <= most:
        return found
    kept = sorted(found, key=lambda reason: reason.code not in acting)[:most]
    return sorted(kept, key=lambda reason: -abs(reason.contribution))


def _of_model(scored: ScoredOrders, places: list[int], judges: Judges[RiskScorer]) -> list[list[Reason]]:
    """Of the orders at ``places`` the inputs that moved the score most, of the version that gave it."""
    found: list[list[Reason]] = [[] for _ in places]
    at, others = np.array(places, np.int64), judges.others(scored.tried)
    of_others = [(rows[at], model) for rows, model in others]
    left = ~np.any([rows for rows, _ in of_others], axis=0) if of_others else np.ones(len(at), np.bool_)
    for rows, model in [(left, judges.serving), *of_others]:
        for place, reasons in zip(np.flatnonzero(rows).tolist(), _by_version(scored, at[rows], model), strict=True):
            found[place] = reasons
    return found


def _by_version(scored: ScoredOrders, at: NDArray[np.int64], model: RiskScorer) -> list[list[Reason]]:
    """The same of the orders at these places, which ``model`` scored."""
    if not len(at):
        return []
    inputs = model.inputs
    contributions = scored.contributions[at, : len(inputs.names)]
    points = risk_points(scored.probability[at], contributions, model.mapping)
    points = np.round(points, 2)  # so that equals stay equal, and in the model's order, in batches of any size
    strongest = np.argsort(-np.abs(points), axis=1, kind="stable")[:, :MAX_REASONS]
    moved = np.take_along_axis(points, strongest, axis=1)
    given = inputs.of(scored.features[at], None if scored.joined is None else scored.joined.at(at))
    values = np.round(np.take_along_axis(given, strongest, axis=1).astype(np.float64), 4)
    return [
        [
            _reason(inputs.features[index], point, value)
            for index, point, value in zip(*order, strict=True)
            if abs(point) >= _SMALLEST_POINTS
        ]
        for order in zip(strongest.tolist(), moved.tolist(), values.tolist(), strict=True)
    ]


def _reason(feature: Feature, points: float, value: float) -> Reason:
    known = None if math.isnan(value) else value
    text = f"{feature.meaning}: not known" if known is None else in_words(feature, known)
    return Reason(feature.name.upper(), "model", points, text, feature.name, known)
