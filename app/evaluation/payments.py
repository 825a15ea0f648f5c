"""The payment model on payments that did not train it: the handbook's test week, or the days of another file."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.cli.errors import UsageProblem
from app.evaluation.files import Wanted, behind
from app.features.payments import PAYMENT_INPUTS
from app.models.repository import read_model
from app.models.runtime import RiskModel, mapping_of
from app.models.session import session_of
from app.replay.adapters.payments_handbook import PAYMENTS_HANDBOOK
from app.replay.recording import open_recording
from app.training.payment_sets import Payments, read_payments
from app.training.payments import LEARN, MEASURE, baselines, measured
from app.training.sources import PAYMENTS

PUBLISHED = {
    "handbook_logistic": {"auc": 0.871, "average_precision": 0.606, "card_precision_100": 0.291},
    "handbook_random_forest": {"auc": 0.867, "average_precision": 0.658, "card_precision_100": 0.287},
    "handbook_xgboost": {"auc": 0.862, "average_precision": 0.639, "card_precision_100": 0.273},
}
"""Le Borgne et al., Fraud Detection Handbook (2022), chapter 3, on the same weeks."""

_KNOWN_VICTIMS = timedelta(days=14)

Figures = dict[str, object]


def figures_of(wanted: Wanted) -> Figures:
    """Rows, model and metrics, with those of the baselines beside them.

    Cards that were known as victims are left out, as the handbook does: their first fraud since 14 days before the
    measured payments was eight days ago.

    Raises:
        UsageProblem: the model, the set or the file is not there.
    """
    stored = read_model(wanted.repository, "risk", wanted.model, wanted.version, PAYMENT_INPUTS.names)
    model = RiskModel(session_of(stored.graph), wanted.model, stored.manifest.version, mapping_of(stored))
    if wanted.data is None:
        rows = read_payments(PAYMENTS.open(wanted.sets), _unwatched)
        start, stop = MEASURE
        known: dict[str, dict[str, float]] = baselines(rows, _measure(rows, *MEASURE)) | PUBLISHED
    else:
        rows, start = _of_file(wanted.data, wanted.history or _own(wanted.sets))
        stop = None
        known = baselines(rows, _measure(rows, start, None)) if rows.within(*LEARN).any() else {}
    measure = _measure(rows, start, stop)
    if not rows.fraud[measure].any():
        raise UsageProblem(
            f"none of the {int(measure.sum())} payments to measure is a fraud; name a file that has some"
        )
    return {
        "rows": int(measure.sum()),
        "model": f"{model.name}/{model.version}",
        **measured(rows, measure, model),
        "baselines": known,
    }


def _measure(rows: Payments, start: datetime, stop: datetime | None) -> NDArray[np.bool_]:
    return rows.within(start, stop) & rows.unknown(start - _KNOWN_VICTIMS)


def _own(sets: Path) -> Path | None:
    path = sets / PAYMENTS.file
    return path if path.is_file() else None


def _of_file(data: Path, history: Path | None) -> tuple[Payments, datetime]:
    """The payments of ``data`` behind those of ``history`` that lie before it, and when its own begin."""
    with behind(data, history, PAYMENTS_HANDBOOK, "TX_DATETIME") as (path, start):
        return read_payments(open_recording([path], PAYMENTS.adapter), _unwatched), start


def _unwatched(events: int) -> None:
    """Nobody looks at the progress."""
