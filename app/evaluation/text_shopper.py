"""The text model on the hand-written shopper test, or on a file of its kind: intents, languages and slots."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from app.cli.errors import UsageProblem
from app.evaluation.shopper.load import Example, shopper
from app.models.text import TextModel
from app.text.ngrams import bag_of
from app.text.recogniser import Recogniser, Understood
from app.training.text_baselines import linear_svm, logistic, prior
from app.training.text_figures import Told, log_odds, shares, text_figures
from app.training.text_graph import Floats
from schemas.outputs import QUERY_INTENTS

LANGUAGES: Final = ("zh", "en", "other")


def read_shopper(file: Path | None) -> list[Example]:
    """The test of both shops, or the lines of ``file``.

    Raises:
        UsageProblem: the file is not there, or a line does not fit.
    """
    if file is None:
        return [*shopper("zh"), *shopper("en")]
    try:
        found = msgspec.json.Decoder(Example).decode_lines(file.read_bytes())
    except OSError as error:
        raise UsageProblem(f"cannot read {file}: {error.strerror}; name another one with --data") from error
    except msgspec.MsgspecError as error:
        raise UsageProblem(f"{file} is no JSON lines of text, query_intent, language and slots: {error}") from error
    if not found:
        raise UsageProblem(f"{file} has no texts; name another one with --data")
    return found


def evaluate_shopper(
    model: TextModel, examples: Sequence[Example], learned: Sequence[str], labels: Sequence[str]
) -> dict[str, Any]:
    """The figures of ``model`` on ``examples``, beside baselines that learn the texts ``learned`` with ``labels``."""
    texts = [example.text for example in examples]
    wanted = [example.query_intent for example in examples]
    told = model.score(bag_of(texts), len(texts)).intents
    read = Recogniser(model).read(texts)

    def figures(places: Sequence[int]) -> dict[str, float]:
        return _figures([examples[place] for place in places], told[list(places)], [read[place] for place in places])

    return {
        "set": "shopper",
        "rows": len(texts),
        "model": {"name": model.name, "version": model.version},
        **figures(range(len(texts))),
        "by_language": {
            language: {"rows": len(places), **figures(places)}
            for language in LANGUAGES
            if (places := [place for place, one in enumerate(examples) if one.language == language])
        },
        "baselines": {
            "prior": text_figures(wanted, prior(labels, len(texts))),
            "logistic": text_figures(wanted, logistic(learned, labels, texts)),
            "linear_svm": text_figures(wanted, linear_svm(learned, labels, texts)),
        },
    }


def _figures(examples: Sequence[Example], told: Floats, read: Sequence[Understood]) -> dict[str, float]:
    wanted = [example.query_intent for example in examples]
    given = [one.intent for one in read]
    pairs = [(one.language, example.language) for one, example in zip(read, examples, strict=True)]
    return {
        **text_figures(wanted, Told(QUERY_INTENTS, told, shares(log_odds(told)))),
        "accuracy": _share(one == other for one, other in zip(given, wanted, strict=True)),
        "language_accuracy": _share(one == other for one, other in pairs),
        **slot_figures([example.slots for example in examples], [msgspec.to_builtins(one.slots) for one in read]),
    }


def slot_figures(wanted: Sequence[Mapping[str, Any]], given: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Precision, recall and F1 of slots, each a name with its value, and the share of texts with all slots right."""
    counts: Counter[str] = Counter()
    for truth, found in zip(wanted, given, strict=True):
        right = sum(name in truth and _same(truth[name], value) for name, value in found.items())
        counts += Counter(right=right, given=len(found), wanted=len(truth))
        counts["whole"] += right == len(found) == len(truth)
    precision, recall = counts["right"] / max(counts["given"], 1), counts["right"] / max(counts["wanted"], 1)
    return {
        "slot_precision": round(precision, 4),
        "slot_recall": round(recall, 4),
        "slot_f1": round(2 * precision * recall / max(precision + recall, 1e-9), 4),
        "slots_all_right": round(counts["whole"] / max(len(wanted), 1), 4),
    }


def _same(one: str | float, other: str | float) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return str(one).casefold() == str(other).casefold()
    return bool(np.isclose(one, other))


def _share(right: Iterable[bool]) -> float:
    found = list(right)
    return round(sum(found) / len(found), 4)
