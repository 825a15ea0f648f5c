"""Contributions are those of the model: exact where they are known, complete always, and each click's own."""

import numpy as np
import pytest

from app.explain.contributions import ANSWERS, INTENT, PURCHASE, Contributions, contributions, log_odds
from app.explain.inputs import FEATURE_NAMES, INPUTS, first_page_view
from app.models.outlook import CHANCES, FIRST_ACTION, SESSION_ENDS
from app.models.runtime import IntentScores, TurnByTurn
from app.state.rows import HIDDEN_UNITS
from schemas.outputs import INTENTS
from tests.fakes import FakeIntentModel, Floats

NAMES = [one.name for one in INPUTS]
STATE = len(INPUTS) - 1


class LinearModel(TurnByTurn):
    """Log-odds that are a linear function of features and state, for the purchase and for every intent."""

    name, version, encoder = "linear", "1", "linear"

    def __init__(self, product: float = 0.0) -> None:
        random = np.random.default_rng(3)
        self.weights = random.normal(size=len(FEATURE_NAMES)) / 50
        self.of_state = random.normal(size=HIDDEN_UNITS) / 5
        self.product = product
        self.rows: list[int] = []

    def score(self, features: Floats, hidden: Floats) -> IntentScores:
        self.rows.append(len(features))
        odds = features @ self.weights + hidden @ self.of_state
        odds += self.product * features[:, column("cart_items")] * features[:, column("session_events")]
        chance = 1 / (1 + np.exp(-odds))
        intents = np.repeat(chance[:, None], len(INTENTS), axis=1)
        return IntentScores(hidden, intents.astype(np.float32), chance.astype(np.float32))


def column(name: str) -> int:
    return FEATURE_NAMES.index(name)


def clicks(n: int = 7) -> tuple[Floats, Floats]:
    """Features and states of some clicks; half of the features are those of a first page view."""
    random = np.random.default_rng(11)
    drawn = random.integers(0, 4, (n, len(FEATURE_NAMES)))
    features = np.where(random.random(drawn.shape) < 0.5, drawn, first_page_view()).astype(np.float32)
    return features, np.tanh(random.normal(size=(n, HIDDEN_UNITS))).astype(np.float32)


def told(model: FakeIntentModel | LinearModel, features: Floats, hidden: Floats, pairs: int = 1) -> Contributions:
    return contributions(model, features, hidden, np.zeros(len(features), np.int64), pairs)


@pytest.mark.parametrize("pairs", [1, 3])
def test_a_linear_model_gives_its_own_weights_back(pairs: int) -> None:
    model, (features, hidden) = LinearModel(), clicks()
    found = told(model, features, hidden, pairs).added[:, PURCHASE]
    moved = (features - first_page_view()) * model.weights
    for number, one in enumerate(INPUTS[:STATE]):
        expected = moved[:, [column(name) for name in one.features]].sum(axis=1)
        np.testing.assert_allclose(found[:, number], expected, atol=2e-5, err_msg=one.name)
    np.testing.assert_allclose(found[:, STATE], hidden @ model.of_state, atol=2e-5)


def test_two_inputs_that_act_together_share_what_they_do() -> None:
    features = np.stack([first_page_view()] * 2)
    features[1, [column("cart_items"), column("session_events")]] = 3, 5
    hidden = np.zeros((2, HIDDEN_UNITS), np.float32)
    alone, together = (told(LinearModel(product), features, hidden).added[1, PURCHASE] for product in (0.0, 0.1))
    # The product goes from 0 * 1 to 3 * 5: from the first page view's one event, cart_items alone makes 3, and with
    # the other's value 15; session_events alone makes nothing.
    shares = (together - alone) / 0.1
    np.testing.assert_allclose(shares[NAMES.index("cart")], (3 + 15) / 2, atol=1e-3)
    np.testing.assert_allclose(shares[NAMES.index("session_events")], (0 + 12) / 2, atol=1e-3)


@pytest.mark.parametrize("pairs", [1, 4])
def test_contributions_add_up_to_the_score(pairs: int) -> None:
    model, (features, hidden) = FakeIntentModel(), clicks()
    scores = model.score(features, hidden)
    intent = scores.probabilities.argmax(axis=1)
    found = contributions(model, features, hidden, intent, pairs)
    total = found.base + found.added.sum(axis=2)
    np.testing.assert_allclose(total[:, PURCHASE], log_odds(scores.purchase), atol=1e-9)
    asked = scores.probabilities[np.arange(len(intent)), intent]
    np.testing.assert_allclose(total[:, INTENT], log_odds(asked), atol=1e-9)
    assert scores.outlook is not None
    for name, answer in zip(CHANCES, scores.outlook.T, strict=False):
        np.testing.assert_allclose(total[:, ANSWERS.index(name)], log_odds(answer), atol=1e-9)
    np.testing.assert_allclose(total[:, ANSWERS.index("exit")], log_odds(scores.outlook[:, SESSION_ENDS]), atol=1e-9)
    most = scores.outlook[:, FIRST_ACTION:].max(axis=1)
    np.testing.assert_allclose(total[:, ANSWERS.index("next_action")], log_odds(most), atol=1e-9)


def test_a_model_that_says_nothing_of_what_comes_next_has_its_two_answers_explained() -> None:
    assert told(LinearModel(), *clicks()).added.shape[1] == 2


def test_what_is_said_of_a_click_does_not_depend_on_its_batch() -> None:
    features, hidden = clicks()
    features[3] = first_page_view()  # of which alone no input is moved
    whole = told(FakeIntentModel(), features, hidden)
    for row in range(len(features)):
        alone = told(FakeIntentModel(), features[row : row + 1], hidden[row : row + 1])
        np.testing.assert_allclose(alone.added[0], whole.added[row], atol=1e-5)
        np.testing.assert_allclose(alone.base[0], whole.base[row], atol=1e-5)


def test_a_first_page_view_is_moved_by_nothing() -> None:
    found = told(FakeIntentModel(), first_page_view()[None], np.zeros((1, HIDDEN_UNITS), np.float32))
    assert not found.added.any()


def test_many_clicks_are_explained_in_calls_of_bounded_size() -> None:
    model, (features, hidden) = LinearModel(), clicks(700)
    told(model, features, hidden)
    assert max(model.rows) <= 8_192
    assert sum(model.rows) >= 2 * 700
