"""The trainers by the kind of model they make."""

from pathlib import Path

from app.state.columns import Lifetimes
from app.training.intent import train_intent
from app.training.payments import train_payments
from app.training.progress import Reporter
from app.training.risk import train_risk
from app.training.storing import Trained
from app.training.text import train_text


def trained(
    kind: str, data: Path, version: str, created: str, lifetimes: Lifetimes, quick: bool, reporter: Reporter
) -> Trained:
    """A new model of ``kind``; see `train_intent`, `train_risk` and `train_text` for the rest."""
    train = {"intent": train_intent, "risk": train_risk, "payments": train_payments, "text": train_text}[kind]
    return train(data, version, created, lifetimes, quick, reporter)
