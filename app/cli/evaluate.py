"""``sluice evaluate``: how good the models are, beside what they must beat."""

import click

from app.cli.lazy import Lazy, LazyGroup

MODELS = {
    "intent": Lazy("app.cli.evaluate_intent:intent", "What visitors will do, from what they did."),
    "ab": Lazy("app.cli.evaluate_ab:ab", "Two versions that shared the users, by what came true."),
    "challenger": Lazy("app.cli.evaluate_challenger:challenger", "A version in shadow, on what came since."),
    "risk": Lazy("app.cli.evaluate_risk:risk", "Which payments are frauds."),
    "text": Lazy("app.cli.evaluate_text:text", "What visitors want, from what they write."),
}


class _Models(LazyGroup):
    lazy = MODELS


@click.group(cls=_Models)
def evaluate() -> None:
    """Measure a model on data that did not train it."""
