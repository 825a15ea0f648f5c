"""The demo's figures hold what was decided against what the shop knows."""

from app.demo.outcome import Caught, Outcome
from app.demo.plays import Played, Truth

TRUTH = Truth(
    fraud={"ring": True, "testing": True, "good": False, "other": False},
    patterns={"ring": "ring", "testing": "card_testing"},
    scraping={"bot": True, "visit": False},
)
OUTCOME = Outcome(
    actions={"ring": "block", "testing": "verify", "good": "review", "other": "allow", "recorded": "block"},
    rules={"good": ("dear",), "ring": ("dear", "crowd"), "recorded": ("dear",), "other": ()},
    sessions={"bot", "recorded"},
)


def test_what_was_stopped_is_held_against_the_truth_and_recorded_orders_are_not() -> None:
    caught = OUTCOME.caught(TRUTH)
    assert caught["fraud"] == Caught(right=1, flagged=2, true=2, cases=4)
    assert caught["scraping"] == Caught(right=1, flagged=1, true=1, cases=2)


def test_each_rule_is_held_against_the_orders_that_it_met() -> None:
    assert OUTCOME.by_rule(TRUTH) == {"dear": Caught(1, 2, 2, 4), "crowd": Caught(1, 1, 2, 4)}


def test_of_each_way_of_fraud_is_told_what_was_stopped() -> None:
    found = OUTCOME.by_pattern(TRUTH)
    assert {pattern: (one.true, one.recall) for pattern, one in found.items()} == {
        "ring": (1, 1.0),
        "card_testing": (1, 0.0),
    }


def test_the_shop_of_the_demo_knows_every_way_of_fraud() -> None:
    played = Played()
    for _ in played.shop(seed=1, events=30_000):
        pass
    truth = played.truth
    assert {event for event, is_fraud in truth.fraud.items() if is_fraud} == truth.patterns.keys()
    assert len(set(truth.patterns.values())) == 6
    assert any(truth.scraping.values())
