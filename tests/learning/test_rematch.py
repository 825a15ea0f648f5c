"""A challenger in shadow is compared on what came since it was trained, and on nothing else."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from app.cli.errors import UsageProblem
from app.cli.evaluate import evaluate
from app.learning.rematch import UNTIL, later_match, until
from app.learning.sets import Settling
from app.models.manifest import Kind, Manifest
from app.models.runtime import Floats, RiskScores
from app.step import Models
from app.training.storing import Trained
from tests.fakes import FakeIntentModel, FakeRiskModel, fake_models
from tests.harness import DAY, MINUTE, START, Input, click, label, order
from tests.learning import topics
from tests.models.builders import intent_graph, intent_manifest
from tests.models.repositories import committed

SETTLING = Settling(gap_ms=30 * MINUTE, label_ms=DAY)


class RiskByAmount(FakeRiskModel):
    """Knows that dear orders are bad."""

    version = "2"

    def score(self, features: Floats) -> RiskScores:
        scores = super().score(features)
        return RiskScores(np.where(features[:, 0] > 500, 0.95, 0.05).astype(np.float32), scores.contributions)


def orders(count: int) -> list[Input]:
    """Two an hour, a sixth of them dear and bad."""
    found = []
    for number in range(count):
        user, at, is_bad = f"u{number % 40}", number * 30 * MINUTE, number % 6 == 0
        found.append(order(user, at, f"o{number}", value=900.0 if is_bad else 20.0))
        if is_bad:
            found.append(label(user, at + 1, f"l{number}", order_id=f"order-o{number}", label="fraud"))
    return [*found, click("z", 30 * DAY, "end")]


def after(ms: int) -> datetime:
    return datetime.fromtimestamp((START + ms) / 1000, UTC)


def test_only_what_came_since_counts_and_the_better_one_is_promoted() -> None:
    held = topics.of(*orders(400))
    challengers = Models(FakeIntentModel(), RiskByAmount())
    match = later_match("risk", held, fake_models(), challengers, after(100 * 30 * MINUTE), "kafka:9092", SETTLING)
    assert match.rows == 300
    assert match.decision.verdict == "promote"
    back = later_match("risk", held, challengers, fake_models(), after(0), "kafka:9092", SETTLING)
    assert (back.rows, back.decision.verdict) == (400, "keep")


def test_nothing_since_is_told() -> None:
    kinds: tuple[Kind, ...] = ("risk", "intent")
    for kind in kinds:
        with pytest.raises(UsageProblem, match="no rows to be compared on"):
            later_match(
                kind,
                topics.of(*orders(50)),
                fake_models(),
                fake_models(),
                after(60 * DAY),
                "kafka:9092",
                SETTLING,
            )


def test_the_manifest_says_until_when_the_data_went() -> None:
    manifest: Manifest = until(Trained(intent_graph(), intent_manifest(intent_graph())), START).manifest
    assert datetime.fromisoformat(manifest.split[UNTIL]) == after(0)
    msgspec.json.decode(msgspec.json.encode(manifest), type=Manifest)


@pytest.mark.parametrize(
    ("model", "advice"),
    [("text/1", "is not KIND/VERSION"), ("risk", "is not KIND/VERSION"), ("risk/1", "say --since TIME")],
)
def test_what_cannot_be_compared_is_told_in_one_line(model: str, advice: str, tmp_path: Path) -> None:
    repository = committed(tmp_path)
    done = CliRunner().invoke(evaluate, ["challenger", model, "--model-repository", str(repository), "--json"])
    assert done.exit_code == 2
    assert advice in done.output
