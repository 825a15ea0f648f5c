"""Curves of a model's answers, and a page of them as one SVG file that needs nothing else."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from app.models.runtime import IntentModel
from app.training.click_sets import ClickSet
from app.training.measuring import PREFIXES, answered, evaluated, questions

_POINTS, _BINS = 60, 10
_SIDE, _GAP, _TOP = 150, 46, 34  # pixels of a panel, between panels, and above a row of them

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """A curve within the unit square: its title, its axes, the points, and whether the diagonal helps to read it."""

    title: str
    across: str
    up: str
    points: Points
    diagonal: bool = False


def panels_of(one: ClickSet, rows: NDArray[np.bool_], model: IntentModel) -> Iterator[tuple[str, list[Panel]]]:
    """The panels of each question that ``model`` answers about the ``rows`` [n] of a set, under the question's name."""
    answers, targets = answered(one, model), evaluated(one, rows, model, None).targets
    for name, truth in questions(one).items():
        if name not in answers or targets[name].model is None:
            continue
        counted = rows & truth.known
        right, answer = truth.right[counted], answers[name][counted]
        by_prefix = [figures.get("auc", np.nan) for figures in targets[name].by_prefix.values()]
        places = [PREFIXES.index(int(prefix)) / (len(PREFIXES) - 1) for prefix in targets[name].by_prefix]
        yield (
            f"{one.name}: {name}",
            [
                *panels(right, answer),
                Panel(
                    f"AUC at click {', '.join(map(str, PREFIXES))}",
                    "",
                    "AUC",
                    list(zip(places, by_prefix, strict=True)),
                ),
            ],
        )


def panels(right: NDArray[np.bool_], answer: NDArray[np.floating]) -> list[Panel]:
    """What probabilities [n] of what is ``right`` [n] are worth at every threshold, and whether they come true."""
    return [
        Panel("ROC", "false positive rate", "true positive rate", _roc(right, answer), diagonal=True),
        Panel("precision and recall", "recall", "precision", _precision_recall(right, answer)),
        Panel("calibration", "said", "happened", calibration(right, answer), diagonal=True),
    ]


def calibration(right: NDArray[np.bool_], answer: NDArray[np.floating]) -> Points:
    """The mean probability and the share that came true, of ten groups of equal size by probability."""
    groups = np.array_split(np.argsort(answer, kind="stable"), _BINS)
    return [(float(answer[group].mean()), float(right[group].mean())) for group in groups if len(group)]


def _roc(right: NDArray[np.bool_], answer: NDArray[np.floating]) -> Points:
    false, true, _ = roc_curve(right, answer)
    return _thinned(false, true)


def _precision_recall(right: NDArray[np.bool_], answer: NDArray[np.floating]) -> Points:
    precision, recall, _ = precision_recall_curve(right, answer)
    return _thinned(recall[::-1], precision[::-1])


def _thinned(across: NDArray[np.floating], up: NDArray[np.floating]) -> Points:
    """About as many points as a panel can show, evenly across."""
    rows = np.unique(np.searchsorted(across, np.linspace(0, 1, _POINTS)).clip(max=len(across) - 1))
    return list(zip(across[rows].tolist(), up[rows].tolist(), strict=True))


def page(rows: Sequence[tuple[str, Sequence[Panel]]]) -> str:
    """One SVG of all panels, a row for each name."""
    width = _GAP + max((len(panels) for _, panels in rows), default=0) * (_SIDE + _GAP)
    height = len(rows) * (_SIDE + _GAP + _TOP)
    drawn = [_row(number, name, panels) for number, (name, panels) in enumerate(rows)]
    box = f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="10"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {box}>'
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="white"/>', *drawn, "</svg>"]) + "\n"


def _row(number: int, name: str, panels: Sequence[Panel]) -> str:
    top = number * (_SIDE + _GAP + _TOP)
    title = f'<text x="{_GAP}" y="{top + 14}" font-size="13" font-weight="bold">{escape(name)}</text>'
    drawn = [_panel(_GAP + place * (_SIDE + _GAP), top + _TOP, panel) for place, panel in enumerate(panels)]
    return "\n".join([title, *drawn])


def _panel(left: int, top: int, panel: Panel) -> str:
    line = " ".join(f"{_SIDE * x:.1f},{_SIDE * (1 - y):.1f}" for x, y in panel.points)
    diagonal = f'<line y1="{_SIDE}" x2="{_SIDE}" stroke="silver"/>' if panel.diagonal else ""
    return (
        f'<g transform="translate({left},{top})"><rect width="{_SIDE}" height="{_SIDE}" fill="none" stroke="gray"/>'
        f'{diagonal}<polyline points="{line}" fill="none" stroke="steelblue" stroke-width="1.5"/>'
        f'<text y="-4">{escape(panel.title)}</text><text y="{_SIDE + 12}">0</text>'
        f'<text x="{_SIDE}" y="{_SIDE + 12}" text-anchor="end">{escape(panel.across)} 1</text>'
        f'<text x="-4" y="10" text-anchor="end">1</text>'
        f'<text transform="translate(-6,{_SIDE}) rotate(-90)">{escape(panel.up)}</text></g>'
    )
