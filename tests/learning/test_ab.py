"""Two arms compared: who is in which, what counts, and what the verdict is where it is known."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from app.cli.errors import UsageProblem
from app.cli.evaluate import evaluate
from app.learning.ab import Question, experiment
from app.learning.outputs import Published
from app.models.runtime import IntentScorer
from app.models.trial import Canary, Trial
from app.replay.files import TopicFiles
from app.step import Models
from schemas.topics import CLICKSTREAM, INTENT_EVENTS, LABELS, RISK_EVENTS, SESSION_EVENTS
from tests.fakes import FakeIntentModel, FakeRiskModel
from tests.harness import DAY, HOUR, MINUTE, Input, Worker, click, label

INTENT, RISK = Question("intent", None, None, 0), Question("risk", None, None, 7 * DAY)
RANDOM = np.random.default_rng(8)


def lines(*bodies: dict[str, Any]) -> list[bytes]:
    return [json.dumps(body).encode() for body in bodies]


def said(user: str, session: str, version: str, probability: float, id_: str = "e") -> dict[str, Any]:
    """An intent event."""
    made = {"source_event_id": id_, "user_id": user, "ts": 1, "session_id": session}
    return made | {"model": {"name": "intent", "version": version}, "purchase_probability": probability}


def ended(session: str, outcome: str) -> dict[str, Any]:
    return {"session_id": session, "outcome": outcome}


def judged(user: str, order: str, version: str, level: str, ts: int = 0) -> dict[str, Any]:
    """A risk event."""
    model = {"name": "risk", "version": version}
    probability = 0.05 if level == "normal" else 0.9
    return {
        "user_id": user,
        "ts": ts,
        "model": model,
        "order_id": order,
        "risk_level": level,
        "probability": probability,
    }


def published(**topics: list[bytes]) -> Published:
    """By topic, underscores for hyphens."""
    found = Published()
    for name, values in topics.items():
        found.take(name.replace("_", "-"), values)
    return found


def visits(rates: dict[str, float], noise: dict[str, float], users: int = 300) -> Published:
    """Three sessions of each user of each version, bought at its rate; what is said of them is that far off."""
    intents, sessions = [], []
    for version, rate in rates.items():
        for user in range(users):
            for number in range(3):
                name = f"{version}-{user}-{number}"
                bought = RANDOM.random() < rate
                odds = (1.0 if bought else -1.0) + RANDOM.normal(0, noise[version])
                intents.append(said(f"{version}-{user}", name, version, float(1 / (1 + np.exp(-odds)))))
                sessions.append(ended(name, "purchase" if bought else "browse"))
    return published(intent_events=lines(*intents), session_events=lines(*sessions))


def test_the_arm_that_sells_more_and_foresees_better_is_told() -> None:
    found: Any = experiment(visits({"1": 0.2, "2": 0.4}, {"1": 2.0, "2": 0.5}), INTENT)
    assert (found["control"]["version"], found["treatment"]["version"]) == ("1", "2")
    assert found["verdict"] == "treatment"
    assert found["differences"]["purchase_rate"]["low"] > 0
    assert found["differences"]["auc"]["favours"] == "treatment"


def test_the_arms_change_places_with_the_sign() -> None:
    outputs = visits({"1": 0.2, "2": 0.4}, {"1": 2.0, "2": 0.5})
    found: Any = experiment(outputs, Question("intent", "2", "1", 0))
    assert found["verdict"] == "control"
    assert found["differences"]["purchase_rate"]["high"] < 0


def test_arms_that_are_alike_show_no_difference() -> None:
    found: Any = experiment(visits({"1": 0.3, "2": 0.3}, {"1": 1.0, "2": 1.0}), INTENT)
    favours = {one["favours"] for one in found["differences"].values()}
    assert (favours, found["verdict"]) == ({"undecided"}, "undecided")


def test_a_user_of_both_versions_is_in_no_arm() -> None:
    intents = [
        said("a", "s1", "1", 0.1),
        said("b", "s2", "2", 0.1),
        said("c", "s3", "1", 0.1),
        said("c", "s4", "2", 0.1),
    ]
    sessions = [ended(f"s{number}", "browse") for number in range(1, 5)]
    found: Any = experiment(published(intent_events=lines(*intents), session_events=lines(*sessions)), INTENT)
    assert found["users_of_both"] == 1
    assert (found["control"]["users"], found["treatment"]["users"]) == (1, 1)


def test_what_was_said_before_both_versions_were_at_work_does_not_count() -> None:
    intents = [said(user, f"{user}-before", "1", 0.1) for user in "abcd"]
    during = [
        said("a", "a1", "1", 0.1),
        said("b", "b1", "1", 0.1),
        said("c", "c1", "2", 0.1),
        said("d", "d1", "2", 0.1),
    ]
    intents += [one | {"ts": 5} for one in during]
    sessions = lines(*(ended(one["session_id"], "browse") for one in intents))
    found: Any = experiment(published(intent_events=lines(*intents), session_events=sessions), INTENT)
    assert (found["since"], found["until"], found["users_of_both"]) == (5, 5, 0)
    assert (found["control"]["users"], found["treatment"]["users"]) == (2, 2)


def test_clicks_are_asked_for_a_purchase_after_them_where_the_clickstream_is_known() -> None:
    intents = [said("a", "s", "1", 0.8, "look"), said("a", "s", "1", 0.9, "buy"), said("a", "s", "1", 0.2, "after")]
    intents.append(said("b", "t", "2", 0.5, "look too"))
    stream = [{"event_id": "look", "type": "page_viewed"}, {"event_id": "buy", "type": "order_completed"}]
    found: Any = experiment(
        published(
            intent_events=lines(*intents),
            session_events=lines(ended("s", "purchase"), ended("t", "browse")),
            clickstream=[*lines(*stream), b"junk"],
        ),
        INTENT,
    )
    assert found["control"]["auc"] == pytest.approx(0.5)  # 0.8 came true, 0.9 and 0.2 did not
    assert found["control"]["purchase_rate"] == 1


def test_sessions_that_are_not_over_do_not_count() -> None:
    intents = [said("a", "s", "1", 0.8), said("a", "open", "1", 0.9), said("b", "t", "2", 0.5)]
    sessions = lines(ended("s", "purchase"), ended("t", "browse"))
    found: Any = experiment(published(intent_events=lines(*intents), session_events=sessions), INTENT)
    assert found["control"]["calibration_error"] == pytest.approx(0.2)


def test_flags_are_held_against_labels_and_young_orders_without_one_left_out() -> None:
    orders = [judged("a", "a1", "1", "highest"), judged("a", "a2", "1", "normal"), judged("a", "a3", "1", "elevated")]
    orders += [judged("b", "b1", "2", "highest"), judged("b", "b2", "2", "highest", 9 * DAY)]
    values = [
        label("u", 0, id_, order_id=order, label=word).value
        for id_, order, word in (("1", "a1", "fraud"), ("2", "a2", "chargeback"), ("3", "b1", "fraud"))
    ]
    found: Any = experiment(
        published(risk_events=lines(*orders), labels=[value for value in values if value is not None]), RISK
    )
    assert (found["control"]["precision"], found["control"]["recall"]) == (0.5, 0.5)
    assert (found["treatment"]["precision"], found["treatment"]["recall"]) == (1, 1)


def test_one_version_alone_is_no_experiment() -> None:
    with pytest.raises(UsageProblem, match=r"there are: 1 \(1\)"):
        experiment(published(intent_events=lines(said("a", "s", "1", 0.5))), INTENT)
    with pytest.raises(UsageProblem, match="there are: none"):
        experiment(Published(), RISK)


def test_arms_of_which_nothing_is_known_are_named() -> None:
    intents = [said("a", "s", "1", 0.5), said("b", "t", "2", 0.5)]
    with pytest.raises(UsageProblem, match="version 1 has no sessions that are over"):
        experiment(published(intent_events=lines(*intents)), INTENT)


def test_a_record_that_is_no_output_is_named() -> None:
    with pytest.raises(UsageProblem, match="a record of risk-events is no output"):
        published(risk_events=[b"{}"])


def shop() -> Iterator[Input]:
    """Eighty users of whom every third buys, and a heart that beats."""
    for number in range(80):
        at = number * MINUTE
        yield click(f"u{number}", at, f"look-{number}", "product_viewed", price=10.0)
        if number % 3 == 0:
            yield click(f"u{number}", at + 1, f"buy-{number}", "order_completed")
    for hour in range(1, 5):
        yield click("heart", hour * HOUR, f"beat-{hour}")


def test_the_outputs_of_a_replay_with_a_canary_are_compared_by_the_command(tmp_path: Path) -> None:
    canary: Canary[IntentScorer] = Canary(FakeIntentModel("2", seed=9), share=0.5)
    worker = Worker(Models(FakeIntentModel("1"), FakeRiskModel(), intent_trial=Trial(canary=canary)))
    inputs = list(shop())
    worker.run(*inputs)
    with TopicFiles(tmp_path) as files:
        for work in worker.works:
            files.write(work.outgoing)
    file = tmp_path / "inputs.jsonl"
    file.write_bytes(b"\n".join(one.value or b"" for one in inputs))
    done = CliRunner().invoke(evaluate, ["ab", "intent", "--out", str(tmp_path), "--inputs", str(file), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert 75 <= found["control"]["users"] + found["treatment"]["users"] <= 81  # the rest came before both were at work
    assert set(found["differences"]) >= {"purchase_rate", "auc", "calibration_error"}
    assert found["control"]["purchase_rate"] == pytest.approx(1 / 3, abs=0.2)


def test_a_folder_without_outputs_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(evaluate, ["ab", "risk", "--out", str(tmp_path), "--json"])
    assert done.exit_code == 2
    assert "session-events.jsonl" in done.output


def test_topics_are_those_of_the_contract() -> None:
    topics = published(clickstream=[], labels=[], intent_events=[], session_events=[], risk_events=[]).seen
    assert topics == {CLICKSTREAM, LABELS, INTENT_EVENTS, SESSION_EVENTS, RISK_EVENTS}
