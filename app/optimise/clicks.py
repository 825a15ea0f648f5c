"""Variants of a click model: made with clicks of the days that it learned from, measured on the last days."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.cli.errors import UsageProblem
from app.features.scan import group_starts, ranks
from app.models.runtime import IntentModel, IntentScores, TurnByTurn
from app.models.waves import score_waves
from app.optimise.intent_pruning import Sample, pruned, refitted
from app.optimise.quantising import computed_in_int8, stored_in_int8
from app.optimise.subject import Figures, Recipe
from app.state.rows import HIDDEN_UNITS
from app.training.click_sets import ClickSet
from app.training.curves import page, panels_of
from app.training.figures import binary_figures, class_figures
from app.training.sources import LEARN, MEASURE

Floats = NDArray[np.float32]

MOST_CLICKS = 20_000
"""Of each set, to tell by how much hidden units vary."""

_UNITS = (24, 16)


class Clicks:
    """See `Subject`.

    Args:
        sets: each counts alike.
        most: clicks of each that variants are made with.

    Raises:
        UsageProblem: variants cannot be judged by one of the sets.
    """

    def __init__(self, sets: Sequence[ClickSet], most: int = MOST_CLICKS) -> None:
        for one in sets:
            if len(np.unique(one.labels.purchase[one.part == MEASURE])) < 2:
                raise UsageProblem(
                    f"no click or every click of {one.name} leads to a purchase; leave out --set {one.name}"
                )
        self._sets = sets
        self._most = most

    def recipes(self) -> Mapping[str, Recipe]:
        """In int8, with fewer units, and the same with heads that learned from the model's log-odds."""
        found = {
            "int8": Recipe("weights stored as int8, products in float32", stored_in_int8),
            "int8 products": Recipe("weights and products in int8 (dynamic quantisation)", computed_in_int8),
        }
        for units in _UNITS:
            without = f"{units} of {HIDDEN_UNITS} hidden units, those that can move the most"
            found[f"pruned {units}"] = Recipe(without, partial(self._pruned, units=units), continues=False)
        units = _UNITS[-1]
        found[f"distilled {units}"] = Recipe(
            f"pruned to {units} units, heads fitted to the model's log-odds",
            partial(self._distilled, units=units),
            continues=False,
        )
        small = Recipe(
            f"distilled to {units} units, stored as int8", partial(self._distilled_int8, units=units), continues=False
        )
        return found | {f"distilled {units} int8": small}

    def figures(self, graph: bytes) -> Figures:
        """Both questions on the third part of each set, event by event as a worker scores them."""
        model = IntentModel(graph, "intent", "variant")
        found: Figures = {}
        for one in self._sets:
            rows = one.part == MEASURE
            scores = one.scored(model)
            purchase = binary_figures(one.labels.purchase[rows], scores[1][rows])
            del purchase["rate"]
            found[f"{one.name}: purchase"] = purchase
            found[f"{one.name}: intent"] = class_figures(one.labels.intent[rows], scores[0][rows])
        return found

    def curves(self, graph: bytes) -> str:
        """Of all that a variant answers about the third parts."""
        model = IntentModel(graph, "intent", "variant")
        return page([row for one in self._sets for row in panels_of(one, one.part == MEASURE, model)])

    def _pruned(self, graph: bytes, units: int) -> bytes:
        return pruned(graph, self._sample(graph), units)

    def _distilled(self, graph: bytes, units: int) -> bytes:
        given = self._sample(graph)
        student = pruned(graph, given, units)
        return refitted(student, self._sample(student), graph, given)

    def _distilled_int8(self, graph: bytes, units: int) -> bytes:
        return stored_in_int8(self._distilled(graph, units))

    def _sample(self, graph: bytes) -> Sample:
        """The learned clicks as the model of ``graph`` is given them, in an order that depends on the clicks alone."""
        recording = _Recording(IntentModel(graph, "intent", "variant"))
        for one in self._sets:
            rows = np.flatnonzero(one.part == LEARN)[: self._most]
            users, user = np.unique(one.history[rows], return_inverse=True)
            hidden = np.zeros((len(users), HIDDEN_UNITS), np.float32)
            score_waves(recording, one.rows.features[rows], hidden, user, ranks(group_starts(user), user))
        return Sample(np.concatenate(recording.features), np.concatenate(recording.hidden))


class _Recording(TurnByTurn):
    """A click model that keeps what it is given."""

    def __init__(self, model: IntentModel) -> None:
        self._model = model
        self.name, self.version, self.encoder = model.name, model.version, model.encoder
        self.features: list[Floats] = []
        self.hidden: list[Floats] = []

    def score(self, features: Floats, hidden: Floats) -> IntentScores:
        self.features.append(features.copy())
        self.hidden.append(hidden.copy())
        return self._model.score(features, hidden)
