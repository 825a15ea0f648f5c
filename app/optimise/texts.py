"""Variants of a text model: made with texts that it learned from, measured on the hand-written shopper test."""

from collections.abc import Mapping, Sequence
from functools import partial

from app.evaluation.shopper.load import Example
from app.models.session import session_of
from app.models.text import TextModel
from app.optimise.quantising import computed_in_int8, table_in_float32
from app.optimise.subject import Figures, Recipe
from app.optimise.text_pruning import pruned
from app.text.languages import language_of
from app.text.ngrams import bag_of
from app.training.text import curves_of, told_of
from app.training.text_figures import text_figures

_UNITS = (48, 32)


class Texts:
    """See `Subject`.

    Args:
        learned: texts that variants are made with.
        measured: texts with what a careful reader finds in them.
    """

    def __init__(self, learned: Sequence[str], measured: Sequence[Example]) -> None:
        self._learned = learned
        self._measured = measured

    def recipes(self) -> Mapping[str, Recipe]:
        """With the table written out, products in int8, and fewer hidden units."""
        found = {
            "float32": Recipe("the table written out in float32", table_in_float32),
            "int8 products": Recipe("products in int8 too (dynamic quantisation)", computed_in_int8),
        }
        for units in _UNITS:
            found[f"pruned {units}"] = Recipe(f"{units} hidden units", partial(self._smaller, units=units, refit=False))
        units = _UNITS[-1]
        found[f"distilled {units}"] = Recipe(
            f"pruned to {units} units, heads fitted to the model's log-odds",
            partial(self._smaller, units=units, refit=True),
        )
        return found

    def figures(self, graph: bytes) -> Figures:
        """Intents and language on the test of each shop."""
        model = TextModel(session_of(graph), "text", "variant")
        found: Figures = {}
        for language in ("zh", "en"):
            examples = [one for one in self._measured if one.language == language]
            texts = [one.text for one in examples]
            scores = model.score(bag_of(texts), len(texts))
            told = map(language_of, texts, scores.foreign.tolist())
            right = sum(one == language for one in told)
            found[f"shopper {language}"] = {
                **text_figures([one.query_intent for one in examples], told_of(scores.intents)),
                "language_accuracy": round(right / len(texts), 4),
            }
        return found

    def curves(self, graph: bytes) -> str:
        """How sure intents may be taken to be, on the texts that chose the model."""
        return curves_of(TextModel(session_of(graph), "text", "variant"), {})

    def _smaller(self, graph: bytes, units: int, refit: bool) -> bytes:
        return pruned(graph, self._learned, units, refit)
