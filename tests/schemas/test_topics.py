"""The topic catalogue is the contract's, whole and consistent."""

import re

import pytest

from app.velocity.definitions import RETENTION_MS
from schemas import topics
from schemas.events import CONTRACT_VERSION
from schemas.topics import BY_NAME, INPUTS, INTERNALS, OUTPUTS, TOPICS, InternalTopic, TopicContract


def test_the_topics_are_those_of_the_contract() -> None:
    assert [topic.name for topic in INPUTS] == ["clickstream", "orders", "labels"]
    assert [topic.name for topic in OUTPUTS] == [
        "intent-events",
        "risk-events",
        "decisions",
        "alerts",
        "session-events",
        "dead-letter",
    ]
    assert {topic.name: topic for topic in TOPICS} == BY_NAME
    assert topics.DEAD_LETTER in BY_NAME


@pytest.mark.parametrize("topic", OUTPUTS, ids=lambda topic: topic.name)
def test_every_output_names_the_contract_version(topic: TopicContract) -> None:
    major = CONTRACT_VERSION.partition(".")[0]
    assert topic.ce_type is not None
    assert re.fullmatch(rf"dev\.sluice\.\w+\.\w+\.v{major}", topic.ce_type)


def test_event_types_are_unique() -> None:
    assert len({topic.ce_type for topic in OUTPUTS}) == len(OUTPUTS)


@pytest.mark.parametrize("topic", [*TOPICS, *INTERNALS], ids=lambda topic: topic.name)
def test_a_replay_of_old_events_is_not_deleted_for_its_age(topic: TopicContract | InternalTopic) -> None:
    assert topic.config["message.timestamp.type"] == "LogAppendTime"


def test_a_dead_letter_holds_the_largest_input_and_its_headers() -> None:
    largest = max(int(topic.config["max.message.bytes"]) for topic in INPUTS)
    assert largest > 5 * 2**20
    assert int(BY_NAME[topics.DEAD_LETTER].config["max.message.bytes"]) > largest


def test_only_dead_letters_are_not_described_by_a_struct() -> None:
    assert [topic.name for topic in TOPICS if topic.struct is None] == ["dead-letter"]


def test_every_group_has_its_own_topics_between_workers() -> None:
    assert [topic.of("shop") for topic in INTERNALS] == ["shop-velocity-asks", "shop-velocity-answers"]


def test_what_velocities_are_recovered_from_stays_as_long_as_they_remember() -> None:
    asks = next(topic for topic in INTERNALS if topic.name == topics.VELOCITY_ASKS)
    assert int(asks.config["retention.ms"]) >= RETENTION_MS
