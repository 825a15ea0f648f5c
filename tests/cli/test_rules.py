"""``sluice rules``: check prints what holds, or everything that is wrong."""

import json
from pathlib import Path

import pytest

from app.cli.main import DONE, WRONG_USAGE, main
from app.velocity.catalogue import BY_NAME as VELOCITIES

HEAD = "id: x\nversion: 1\npolicies: [{id: p, thresholds: {block: 75}}]\nrules:\n"
RULE = "- {id: a, when: orders_1h > 3 and currency == 'EUR', score: 9, reason: A, text: t, owner: o}\n"


def test_check_prints_each_rule_with_the_types_of_what_it_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ruleset.yaml"
    file.write_text(HEAD + RULE)
    assert main(["rules", "check", str(file), "--json"]) == DONE
    found = json.loads(capsys.readouterr().out)
    assert found["ruleset"] == "x/1"
    assert found["rules"]["a"]["types"] == {"orders_1h": "a number", "currency": "text"}


def test_check_tells_every_problem_with_its_line_and_column_and_leaves_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ruleset.yaml"
    file.write_text(HEAD + RULE + "- {id: b, when: orders > 3, reason: B, text: t, owner: o}\n" + RULE)
    assert main(["rules", "check", str(file)]) == WRONG_USAGE
    told = capsys.readouterr().err
    assert "line 6, rules[1] b: when, column 1: there is no field 'orders'" in told
    assert "orders > 3\n^^^^^^\n" in told
    assert "line 7, rules[2] a: it is there twice" in told
    assert told.endswith(f"sluice: {file} has 3 problems; nothing was changed\n")


def test_fields_lists_what_rules_may_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "fields", "--json"]) == DONE
    found = json.loads(capsys.readouterr().out)
    assert found["countries_differ"]["type"] == "true or false"
    assert found["merchant_fraud_share_7d_after_7d"] == {
        "type": "a number",
        "unit": "0 to 1",
        "window": "7d that ended 7d ago",
        "source": "velocity",
        "owner": "risk",
        "meaning": VELOCITIES["merchant_fraud_share_7d_after_7d"].meaning,
    }
    assert (found["spent_24h"]["window"], found["spent_24h"]["owner"]) == ("24h", "risk")
    assert all(told["owner"] for told in found.values() if told["source"] != "order")
    assert "properties" not in found
    assert main(["rules", "fields", "--on", "session", "--json"]) == DONE
    found = json.loads(capsys.readouterr().out)
    assert (found["distinct_items"]["type"], found["distinct_items"]["unit"]) == ("a number", "products")
    assert {told["owner"] for told in found.values() if told["source"] == "session"} == {"intent"}
    assert {"value", "product_bucket"}.isdisjoint(found)
