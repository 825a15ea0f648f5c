"""The starter ruleset catches what the simulated shop is known to hide, by its rules alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.backtest.figures import figures
from app.backtest.judging import judge
from app.backtest.shop import Truths, session_quality
from app.replay.shop import Shop
from app.replay.shop.shop import ALL_PATTERNS
from app.rules.compiling import compile_ruleset
from app.rules.reading import read_ruleset
from tests.fakes import fake_models
from tests.harness import LIVES

STARTER = Path(__file__).resolve().parents[2] / "deploy" / "ruleset.yaml"


@pytest.mark.slow
def test_the_starter_rules_meet_their_patterns_and_hardly_anybody_else() -> None:
    book = compile_ruleset(read_ruleset(STARTER))
    shop = Shop(
        3,
        users=1_000,
        events_per_second=0.25,
        events=25_000,
        patterns=ALL_PATTERNS,
        fraud_share=0.03,
        terminals=100,
    )
    truths = Truths(shop)
    judged, _ = judge(truths, replace(fake_models(), rules=book), LIVES, lambda _: None)
    found = figures(book.ruleset, judged, truths.labels())
    caught = {
        "takeover": {"account_takeover"},
        "card_testing": {"card_testing"},
        "new_account_abroad": {"stolen_card"},
        "device_ring": {"ring", "promotion_abuse"},
        "busy_terminal": {"compromised_terminal"},
    }
    for rule, patterns in caught.items():
        met = [
            truths.patterns[order] for order, hits in zip(judged.ids, judged.hits, strict=True) if rule in dict(hits)
        ]
        there = sum(kind in patterns for kind in truths.patterns.values())
        assert there > 0, patterns
        assert found["rules"][rule]["precision"] >= 0.8, rule
        assert sum(kind in patterns for kind in met) >= 0.5 * there, rule
    assert found["put_in_shadow"] == []


@pytest.mark.slow
def test_the_starter_rules_tell_scrapers_from_visitors() -> None:
    book = compile_ruleset(read_ruleset(STARTER))
    truths = Truths(
        Shop(4, users=1_000, events_per_second=0.25, events=25_000, patterns=ALL_PATTERNS, fraud_share=0.05)
    )
    judged, _ = judge(truths, replace(fake_models(), rules=book), LIVES, lambda _: None)
    assert sum(pattern == "scraping" for pattern in truths.sessions.values()) >= 3
    found = session_quality({one.session_id for one in judged.met}, truths.sessions)
    assert found == {"precision": 1.0, "recall": {"scraping": 1.0}}
    assert figures(book.ruleset, judged, truths.labels())["session_rules"]["scraping"]["sessions"] == len(judged.met)


def test_the_recall_of_a_pattern_is_the_share_of_its_sessions() -> None:
    patterns = {"a": "scraping", "b": "scraping", "c": "ring"}
    assert session_quality({"a", "x"}, patterns) == {"precision": 0.5, "recall": {"scraping": 0.5}}
    assert session_quality(set(), patterns) == {"precision": None, "recall": {}}
