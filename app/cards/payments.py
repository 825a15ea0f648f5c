"""The payment model by group: customers by how often they paid before, all that the handbook tells of them."""

from pathlib import Path

from app.cards.groups import GroupFigure, Question, group_figures
from app.features.payments import PAYMENT_INPUTS
from app.models.runtime import RiskScorer
from app.training.payment_sets import read_payments
from app.training.payments import LEARN, MEASURE
from app.training.rows import Progress
from app.training.sources import PAYMENTS

NAMES = [*PAYMENT_INPUTS.names]


def payment_groups(data: Path, model: RiskScorer, done: Progress) -> list[GroupFigure]:
    """The figures of the handbook's test week; none where its file is not in ``data``."""
    if not (data / PAYMENTS.file).is_file():
        return []
    rows = read_payments(PAYMENTS.open(data), done)
    measured = rows.within(*MEASURE) & rows.unknown(LEARN[0])
    features = rows.features[measured]
    orders = features[:, NAMES.index("user_orders_30d")]
    scored = model.score(features).probability
    question = Question(PAYMENTS.name, "fraud", rows.fraud[measured], scored, rows.card[measured])
    groups = {
        "up to 20 payments in 30 days": orders <= 20,
        "21 to 60 payments in 30 days": (orders > 20) & (orders <= 60),
        "more than 60 payments in 30 days": orders > 60,
    }
    return list(group_figures(question, "history", groups))
