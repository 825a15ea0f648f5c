"""The starter ruleset catches what the simulated shop is known to hide, by its rules alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.backtest.figures import figures
from app.backtest.judging import judge
from app.backtest.shop import Truths
from app.replay.shop import Shop
from app.rules.compiling import compile_ruleset
from app.rules.reading import read_ruleset
from tests.fakes import fake_models
from tests.harness import LIVES

STARTER = Path(__file__).resolve().parents[2] / "deploy" / "ruleset.yaml"


@pytest.mark.slow
def test_the_starter_rules_meet_their_patterns_and_hardly_anybody_else() -> None:
    book = compile_ruleset(read_ruleset(STARTER))
    truths = Truths(Shop(3, users=1_000, events_per_second=0.25, events=25_000))
    judged, _ = judge(truths, replace(fake_models(), rules=book), LIVES, lambda _: None)
    found = figures(book.ruleset, judged, truths.outcomes())
    caught = {"takeover": "account_takeover", "card_testing": "card_testing", "new_account_abroad": "stolen_card"}
    for rule, pattern in caught.items():
        met = [
            truths.patterns[order] for order, hits in zip(judged.ids, judged.hits, strict=True) if rule in dict(hits)
        ]
        there = sum(kind == pattern for kind in truths.patterns.values())
        assert there > 0, pattern
        assert found["rules"][rule]["precision"] >= 0.8, rule
        assert sum(kind == pattern for kind in met) >= 0.5 * there, rule
    assert found["put_in_shadow"] == []
