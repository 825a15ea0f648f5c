"""What a worker tells others arrives, if not at once."""

import asyncio

import pytest

from app.kafka.topics import TopicError
from app.registry.notices import Notice, Notices
from schemas.topics import ALERTS


def test_an_alert_is_sent_again_until_the_broker_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    refusals, sent = iter([True, True, False]), []

    async def send(notice: Notice) -> None:
        if next(refusals):
            raise TopicError("no Kafka answers")
        sent.append(notice)

    async def scenario() -> None:
        notices = Notices(send)
        notices.put(Notice(ALERTS, b"k", b"v"))
        task = asyncio.create_task(notices.run())
        while not sent:
            await asyncio.sleep(0)
        task.cancel()

    monkeypatch.setattr("app.registry.notices._AGAIN_S", 0.0)
    asyncio.run(asyncio.wait_for(scenario(), 10))
    assert [notice.topic for notice in sent] == [ALERTS]
