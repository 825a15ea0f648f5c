"""The trainers by the kind of model they make."""

from pathlib import Path

from app.state.columns import Lifetimes
from app.state.rows import HIDDEN_UNITS
from app.training.intent import name_of, train_intent
from app.training.payments import train_payments
from app.training.progress import Reporter
from app.training.risk import train_risk
from app.training.storing import Trained
from app.training.text import train_text


def trained(
    kind: str,
    data: Path,
    version: str,
    created: str,
    lifetimes: Lifetimes,
    quick: bool,
    reporter: Reporter,
    units: int = HIDDEN_UNITS,
) -> Trained:
    """A new model of ``kind``; see `train_intent`, which alone has ``units``, `train_risk` and `train_text`."""
    if kind == "intent":
        return train_intent(data, version, created, lifetimes, quick, reporter, units)
    train = {"risk": train_risk, "payments": train_payments, "text": train_text}[kind]
    return train(data, version, created, lifetimes, quick, reporter)


def model_name(kind: str, units: int) -> str:
    """The name of the model that `trained` makes."""
    return name_of(units) if kind == "intent" else kind
