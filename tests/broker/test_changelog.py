"""The changelog topic: made as it must be, or refused."""

import asyncio

import pytest

from app.state.changelog import Changelog, ChangelogMismatch, common_partitions, ensure_changelog
from tests.broker import changelogs as log
from tests.broker.recovery_case import DELETING, HOUR_MS, Case

pytestmark = pytest.mark.broker


def test_the_changelog_is_made_once_compacted_and_with_the_inputs_partitions(case: Case) -> None:
    async def scenario() -> None:
        made = await ensure_changelog(case.kafka, case.topic, 3)
        assert made == Changelog(case.topic, 3, 7 * 24 * HOUR_MS)
        assert await ensure_changelog(case.kafka, case.topic, 3) == made
        with pytest.raises(Exception, match="has 3 partitions and not 4"):
            await ensure_changelog(case.kafka, case.topic, 4)

    asyncio.run(scenario())


def test_input_topics_must_exist_and_have_the_same_number_of_partitions(case: Case) -> None:
    async def scenario() -> None:
        one, two, other = (f"{case.topic}-{name}" for name in ("one", "two", "other"))
        for topic, partitions in ((one, 3), (two, 3), (other, 2)):
            await log.make(case.kafka, topic, partitions)
        assert await common_partitions(case.kafka, [one, two]) == 3
        with pytest.raises(ChangelogMismatch, match=r"-one 3, .*-other 2"):
            await common_partitions(case.kafka, [one, other])
        with pytest.raises(ChangelogMismatch, match="no topic nowhere"):
            await common_partitions(case.kafka, [one, "nowhere"])

    asyncio.run(scenario())


def test_a_changelog_that_the_broker_deletes_from_is_refused(case: Case) -> None:
    async def scenario() -> None:
        await log.make(case.kafka, case.topic, changed=DELETING)
        with pytest.raises(ChangelogMismatch, match="set it to compact"):
            await ensure_changelog(case.kafka, case.topic, 1)

    asyncio.run(scenario())
