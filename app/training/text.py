"""Trains and measures the text model."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.models.golden import golden_of
from app.models.manifest import Figures, Manifest, Tensor
from app.models.session import session_of
from app.models.text import OUTPUTS, TextModel, feeds_of
from app.state.columns import Lifetimes
from app.text.languages import language_of
from app.text.ngrams import FEATURES, bag_of
from app.training.corpus.load import chosen_by
from app.training.curves import page, panels
from app.training.figures import binary_figures
from app.training.progress import Reporter
from app.training.storing import CURVES_FILE, Trained
from app.training.text_baselines import linear_svm, logistic, prior
from app.training.text_figures import Told, log_odds, shares, text_figures
from app.training.text_graph import OPSET, TextWeights, beside, text_graph
from app.training.text_sets import HEADS, PLACES, LabelledTexts, read_texts
from app.training.text_trainer import Recipe, TextSet, batches, counted, fit_text, rarity
from schemas.outputs import QUERY_INTENTS

RECIPE: Final = Recipe(units=32, members=2, epochs=6)
SEED: Final = RECIPE.seed
FEELING_UNITS: Final = 12
WANTED: Final = HEADS[0].size + HEADS[1].size
GOLDEN: Final = ["我想买一件白色的羽绒服，价格在500元左右", "where is my order?", "ＡＢＣ 123", "😀"]
_QUICK_EPOCHS: Final = 3
_MIDDLE: Final = 0.5


def train_text(
    data: Path, version: str, created: str, lifetimes: Lifetimes, quick: bool, reporter: Reporter
) -> Trained:
    """Train on the written corpus and public sets; see `train_intent` for the arguments.

    Raises:
        UsageProblem: a data set is not there.
    """
    recipe = replace(RECIPE, epochs=_QUICK_EPOCHS) if quick else RECIPE
    texts = read_texts(data, quick, recipe.seed, reporter.stage("read texts", 5))
    weights = _learned(TextSet(counted(texts.texts), np.stack(texts.truth)), recipe, reporter)
    graph = text_graph(weights, {head.name: head.size for head in HEADS})
    model = TextModel(session_of(graph), "text", version)
    metrics = _metrics(model, texts, reporter.stage("measure", 3))
    curves = curves_of(model, texts.held_out)
    return Trained(graph, _manifest(graph, texts, version, created, metrics), {CURVES_FILE: curves.encode()})


def _learned(texts: TextSet, recipe: Recipe, reporter: Reporter) -> TextWeights:
    """Intents and feelings learn apart, each with its own units: together, both were told worse."""
    rare = rarity(texts.counts)
    feelings = replace(recipe, units=FEELING_UNITS, members=1, epochs=(recipe.epochs + 1) // 2)
    wanted, felt = texts.having(0, WANTED), texts.having(WANTED, texts.truth.shape[1])
    advance = reporter.stage("learn", batches(wanted, recipe) + batches(felt, feelings))
    return beside(
        fit_text(wanted, HEADS[:2], recipe, advance, rare), fit_text(felt, HEADS[2:], feelings, advance, rare)
    )


def _metrics(model: TextModel, texts: LabelledTexts, done: Callable[[int], None]) -> Figures:
    """On the texts that chose, by language, beside the baselines."""
    figures: Figures = {}
    learned, labels = texts.with_intents()
    for language in ("zh", "en"):
        examples = chosen_by(language)
        chosen, wanted = [one.text for one in examples], [one.query_intent for one in examples]
        scores = model.score(bag_of(chosen), len(chosen))
        found = map(language_of, chosen, scores.foreign.tolist())
        right = [told == one.language for told, one in zip(found, examples, strict=True)]
        figures[f"chosen_{language}"] = {
            "model": text_figures(wanted, told_of(scores.intents))
            | {"language_accuracy": round(sum(right) / len(right), 4)},
            "prior": text_figures(wanted, prior(labels, len(chosen))),
            "logistic": text_figures(wanted, logistic(learned, labels, chosen)),
            "linear_svm": text_figures(wanted, linear_svm(learned, labels, chosen)),
        }
        done(1)
    for what, (held, values) in texts.held_out.items():
        figures[what] = _feelings(model, what, held, values, texts)
    done(1)
    return figures


def _feelings(
    model: TextModel, what: str, held: Sequence[str], values: Sequence[float], texts: LabelledTexts
) -> dict[str, dict[str, float]]:
    """How well a single output tells texts above the middle from those below, beside a logistic regression."""
    column = np.stack(texts.truth)[:, PLACES[_feeling(what)]]
    known = np.isfinite(column).nonzero()[0]
    labels = [str(value > _MIDDLE) for value in column[known].tolist()]
    told = logistic([texts.texts[place] for place in known.tolist()], labels, held)
    truth = np.array(values) > _MIDDLE
    found = {
        "model": _felt(model, what, held),
        "prior": np.full(len(held), (column[known] > _MIDDLE).mean()),
        "logistic": told.evidence[:, list(told.names).index("True")],
    }
    return {by: binary_figures(truth, probability) for by, probability in found.items()}


def _feeling(what: str) -> str:
    return what.split(": ")[1]


def _felt(model: TextModel, what: str, held: Sequence[str]) -> NDArray[np.float32]:
    scores = model.score(bag_of(held), len(held))
    return scores.satisfied if _feeling(what) == "satisfied" else scores.solved


def curves_of(model: TextModel, held_out: Mapping[str, tuple[Sequence[str], Sequence[float]]]) -> str:
    """The curves of the feelings in ``held_out`` texts, and of how sure an intent that is named may be taken to be, on
    the texts that chose."""
    rows = []
    for language in ("zh", "en"):
        examples = chosen_by(language)
        told = told_of(model.score(bag_of([one.text for one in examples]), len(examples)).intents)
        named = [told.names[place] for place in told.evidence.argmax(axis=1)]
        right = np.array([name == one.query_intent for name, one in zip(named, examples, strict=True)])
        rows.append((f"chosen_{language}: the intent named is right", panels(right, told.evidence.max(axis=1))))
    for what, (held, values) in held_out.items():
        rows.append((what, panels(np.array(values) > _MIDDLE, _felt(model, what, held))))
    return page(rows)


def told_of(intents: np.ndarray, names: Sequence[str] = QUERY_INTENTS) -> Told:
    """What the model's probabilities of labels, each by itself, tell [n, K]."""
    return Told(names, intents, shares(log_odds(intents)))


def _manifest(graph: bytes, texts: LabelledTexts, version: str, created: str, metrics: Figures) -> Manifest:
    return Manifest(
        name="text",
        version=version,
        kind="text",
        created=created,
        digest=hashlib.sha256(graph).hexdigest(),
        opset=OPSET,
        inputs=_INPUTS,
        outputs=_OUTPUTS,
        features=FEATURES,
        data=texts.data,
        split={
            "learned": "the written texts, texts made of them by grammar, and the public sets",
            "chosen": "app/training/corpus/dev_zh.jsonl and dev_en.jsonl, which no training text repeats",
        },
        metrics=metrics,
        calibration={},
        golden=golden_of(session_of(graph), feeds_of(bag_of(GOLDEN), len(GOLDEN)), OUTPUTS),
    )


_INPUTS: Final = [
    Tensor("buckets", "int32", ["m"], "buckets of all texts' n-grams"),
    Tensor("text", "int64", ["m", 1], "the text of each n-gram, from 0"),
    Tensor("texts", "int64", [1], "number of texts, n"),
]
_OUTPUTS: Final = [
    Tensor("intents", "float32", ["n", len(QUERY_INTENTS)], "probability of each intent by itself"),
    Tensor("foreign", "float32", ["n", 1], "probability of a language other than Chinese and English"),
    Tensor("satisfied", "float32", ["n", 1], "0 (very dissatisfied) to 1 (very satisfied)"),
    Tensor("solved", "float32", ["n", 1], "probability that the writer says the problem is solved"),
]
