"""A compacted topic is read whole by everyone, and followed, whatever becomes of the topic meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest

from app.kafka.compacted import Changes, follow, read, write
from app.kafka.topics import Topic, TopicError, create_topics, delete_topics
from tests.broker.transport_app import unique

pytestmark = pytest.mark.broker

PATIENCE_S = 30.0


@pytest.fixture
def topic(kafka: str) -> Iterator[str]:
    """A name; the test makes the topic."""
    name = unique("compacted")
    yield name
    asyncio.run(delete_topics(kafka, [name]))


async def make(kafka: str, name: str) -> None:
    await create_topics(kafka, [Topic(name, 1, {"cleanup.policy": "compact"})])


async def next_of(changes: AsyncIterator[Changes]) -> Changes:
    return await asyncio.wait_for(anext(changes), PATIENCE_S)


def test_what_is_in_force_comes_first_and_then_each_change(kafka: str, topic: str) -> None:
    async def scenario() -> list[Changes]:
        await make(kafka, topic)
        await write(kafka, topic, {b"a": b"1", b"b": b"1"})
        await write(kafka, topic, {b"a": b"2", b"b": None, b"c": b"1"})
        async with aclosing(follow(kafka, topic)) as changes:
            seen = [await next_of(changes)]
            await write(kafka, topic, {b"a": b"3"})
            seen.append(await next_of(changes))
            await write(kafka, topic, {b"c": None})
            return [*seen, await next_of(changes)]

    assert asyncio.run(scenario()) == [{b"a": b"2", b"c": b"1"}, {b"a": b"3"}, {b"c": None}]
    assert asyncio.run(read(kafka, topic)) == {b"a": b"3"}


def test_an_empty_topic_is_ready_at_once(kafka: str, topic: str) -> None:
    async def scenario() -> Changes:
        await make(kafka, topic)
        async with aclosing(follow(kafka, topic)) as changes:
            return await next_of(changes)

    assert asyncio.run(scenario()) == {}


def test_a_missing_topic_is_ready_at_once_and_followed_when_it_is_made(
    kafka: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.kafka.compacted._LOOK_FOR_TOPIC_S", 0.1)

    async def scenario() -> list[Changes]:
        async with aclosing(follow(kafka, topic)) as changes:
            seen = [await next_of(changes)]
            await make(kafka, topic)
            await write(kafka, topic, {b"a": b"1"})
            return [*seen, await next_of(changes)]

    assert asyncio.run(scenario()) == [{}, {b"a": b"1"}]


def test_a_topic_that_is_made_again_is_read_again_and_what_it_lacks_is_gone(kafka: str, topic: str) -> None:
    async def scenario() -> Changes:
        await make(kafka, topic)
        await write(kafka, topic, {b"a": b"1", b"b": b"1"})
        async with aclosing(follow(kafka, topic)) as changes:
            await next_of(changes)
            await delete_topics(kafka, [topic])
            await make(kafka, topic)
            await write(kafka, topic, {b"b": b"2"})
            seen: Changes = {}
            while seen != {b"a": None, b"b": b"2"}:
                seen |= await next_of(changes)
            return seen

    assert asyncio.run(scenario()) == {b"a": None, b"b": b"2"}


def test_to_read_or_write_a_missing_topic_says_what_to_do(kafka: str) -> None:
    with pytest.raises(TopicError, match="sluice topics create"):
        asyncio.run(read(kafka, "no-such-topic"))
    with pytest.raises(TopicError, match="sluice topics create"):
        asyncio.run(write(kafka, "no-such-topic", {b"a": b"1"}))
