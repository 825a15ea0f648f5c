"""A ruleset goes through its topic whole, whatever the size of its lists."""

import msgspec
import pytest

from app.rules.compiling import compile_ruleset
from app.rules.problems import RulesetError
from app.rules.records import KEY, PART_ENTRIES, assembled, records
from schemas.ruleset import Ruleset
from tests.rules.rulesets import rule, ruleset

LARGEST = 8 << 20


def with_lists(*sizes: int) -> Ruleset:
    lists = [
        {"name": f"l{number}", "kind": "block", "field": "card_hash", "entries": [f"{at:064x}" for at in range(size)]}
        for number, size in enumerate(sizes)
    ]
    return ruleset(rule("a", "value > 1 and card_hash in @l0"), lists=lists)


@pytest.mark.parametrize("sizes", [(), (3,), (100, 101), (PART_ENTRIES, 0, 2 * PART_ENTRIES + 1)])
def test_it_comes_back_as_it_was_sent(sizes: tuple[int, ...]) -> None:
    sent = with_lists(*sizes) if sizes else ruleset(rule("a", "true"))
    made = records(sent, 1, "because")
    assert assembled(made) == sent
    assert list(made)[-1] == KEY


def test_a_list_of_a_million_entries_fits_the_topic_and_is_in_force_afterwards() -> None:
    made = records(with_lists(1_000_000), 1, "")
    assert max(map(len, made.values())) < LARGEST / 8
    found = assembled(made)
    assert found is not None
    assert len(found.lists[0].entries) == 1_000_000
    compile_ruleset(found)


def test_a_list_that_changed_has_other_parts_so_that_the_one_before_stays_whole() -> None:
    old, new = records(with_lists(300), 1, ""), records(with_lists(301), 2, "")
    both = old | new
    assert len(both) == 3
    assert assembled(both | {KEY: old[KEY]}) == with_lists(300)
    assert assembled(both) == with_lists(301)


def test_what_is_missing_or_no_ruleset_is_told() -> None:
    made = records(with_lists(300), 1, "")
    part = next(iter(made))
    with pytest.raises(RulesetError, match=r"list l0: its part .* is not in the topic"):
        assembled({KEY: made[KEY]})
    with pytest.raises(RulesetError, match="list l0: Input data was truncated"):
        assembled(made | {part: b"{"})
    with pytest.raises(RulesetError, match="unknown field `rulez`"):
        assembled({KEY: b'{"changed_at":1,"ruleset":{"id":"a","version":"1","rulez":1}}'})
    with pytest.raises(RulesetError, match="holds none"):
        assembled({KEY: b'{"changed_at":1}'})
    assert assembled({}) is None


def test_a_ruleset_that_no_record_can_hold_is_refused_where_it_is_sent() -> None:
    rules = [rule(f"r{number}", " and ".join(["value > 1"] * 200)) for number in range(2_500)]
    with pytest.raises(RulesetError, match="bytes and 4,194,304 are allowed"):
        records(msgspec.convert(msgspec.to_builtins(ruleset(*rules)), Ruleset), 1, "")
