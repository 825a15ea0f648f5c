"""A challenger made of what the topics hold: it can be stored and served, and is compared on days of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.errors import UsageProblem
from app.learning.challenge import Order, intent_challenge, risk_challenge
from app.learning.reading import Gathered
from app.learning.sets import Settling
from app.models.runtime import load_intent, load_risk
from app.replay.recorded import RecordedBatch
from app.replay.shop import Shop
from app.training.gru import GruSettings
from app.training.progress import Silent
from app.training.storing import store
from tests.fakes import FakeIntentModel, FakeRiskModel
from tests.harness import DAY, MINUTE, click, label, order
from tests.learning import topics

WANTED = Order(
    "7", "2026-01-01T00:00:00+00:00", "kafka:9092", Settling(30 * MINUTE, DAY), GruSettings(epochs=6, lanes=8)
)

pytestmark = pytest.mark.slow


def shop() -> Iterator[RecordedBatch]:
    batches = Shop(11, 100, events_per_second=0.03, events=2_500, chargeback_delay_s=3_600)
    return (batch.recorded for batch in batches)


@pytest.fixture(scope="module")
def held() -> Gathered:
    return topics.of_recording(shop(), partitions=3)


def test_an_intent_challenger_beats_a_champion_that_knows_nothing(held: Gathered, tmp_path: Path) -> None:
    challenge = intent_challenge(held, FakeIntentModel(), WANTED, Silent())
    assert challenge.match.decision.verdict == "promote"
    assert challenge.match.rows > 300
    assert challenge.match.users > 20
    store(tmp_path, challenge.trained)
    model = load_intent(tmp_path, version="7")
    assert model.distribution is not None
    told = challenge.match.told()
    assert set(told["comparison"]) == {"auc", "average_precision", "log_loss"}  # type: ignore[call-overload]


def test_a_risk_challenger_learns_from_labels_and_counts_those_that_meet_no_order(tmp_path: Path) -> None:
    inputs = []
    for number in range(900):
        user, at, is_bad = f"u{number % 150}", number * 20 * MINUTE, number % 9 == 0
        inputs.append(order(user, at, f"o{number}", value=900.0 + number if is_bad else 20.0 + number % 50))
        if is_bad:
            named = f"order-o{number}" if number % 18 else f"ghost-{number}"
            inputs.append(label(user, at + 1, f"l{number}", order_id=named, label="chargeback"))
    held = topics.of(*inputs, click("z", 20 * DAY, "end"))
    challenge = risk_challenge(held, FakeRiskModel(), WANTED)
    assert challenge.match.labels == {"joined": 50, "of_unknown_orders": 50, "of_users": 0}
    assert challenge.match.decision.verdict == "promote"
    store(tmp_path, challenge.trained)
    assert load_risk(tmp_path, version="7").distribution is not None


def test_a_challenger_that_is_sure_of_everything_has_bands_all_the_same(tmp_path: Path) -> None:
    inputs = []
    for number in range(360):
        user, at, is_bad = f"u{number % 60}", number * 30 * MINUTE, number % 6 == 0
        inputs.append(order(user, at, f"o{number}", value=900.0 + number if is_bad else 20.0 + number % 50))
        if is_bad:
            inputs.append(label(user, at + 1, f"l{number}", order_id=f"order-o{number}", label="chargeback"))
    held = topics.of(*inputs, click("z", 20 * DAY, "end"))
    store(tmp_path, risk_challenge(held, FakeRiskModel(), WANTED).trained)
    mapping = load_risk(tmp_path, version="7").mapping
    assert 0 < mapping.p_elevated < mapping.p_highest < 1


def test_orders_that_are_all_good_teach_nothing() -> None:
    inputs = [order(f"u{number}", number * DAY, f"o{number}") for number in range(20)]
    with pytest.raises(UsageProblem, match="no bad orders at all"):
        risk_challenge(topics.of(*inputs), FakeRiskModel(), WANTED)


def test_visits_without_a_purchase_teach_nothing() -> None:
    inputs = [click(f"u{number}", number * DAY, f"c{number}") for number in range(20)]
    with pytest.raises(UsageProblem, match="no purchases at all"):
        intent_challenge(topics.of(*inputs), FakeIntentModel(), WANTED, Silent())
