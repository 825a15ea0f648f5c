"""What is durable, and when: nothing is acknowledged before everything it led to is (the order of the loop)."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiokafka.errors import ProducerFenced
from structlog.testing import capture_logs

from app.kafka.partition import partition_of
from app.kafka.producer import DeliveryFailed
from app.worker import exactly_once
from app.worker.at_least_once import STEPS_BEING_SENT
from schemas.topics import CLICKSTREAM, DECISIONS, ORDERS, RISK_EVENTS
from tests.harness import Input, click, order
from tests.worker.engine import CHANGELOG, Delivery, Engine, settle, started

USER = next(user for user in map(str, range(99)) if partition_of(user.encode(), 2) == 0)
OTHER = next(user for user in map(str, range(99)) if partition_of(user.encode(), 2) == 1)
CLICKS, OTHERS_CLICKS = (CLICKSTREAM, 0), (CLICKSTREAM, 1)

Scenario = Callable[[Engine, "asyncio.Task[None]"], Awaitable[None]]


def nth(number: int) -> Input:
    """A click of the user."""
    return click(USER, number, f"c{number}")


def play(folder: Path, scenario: Scenario) -> None:
    async def main() -> None:
        async with started(folder) as (engine, running), asyncio.timeout(20):
            await scenario(engine, running)

    asyncio.run(main())


def acknowledge(*deliveries: Delivery) -> None:
    for delivery in deliveries:
        delivery.acknowledge()


@pytest.mark.parametrize("last", [0, 1])
def test_nothing_is_durable_before_the_last_acknowledgement(tmp_path: Path, last: int) -> None:
    async def scenario(engine: Engine, _: "asyncio.Task[None]") -> None:
        sent = await engine.step(order(USER, 1, "o"))
        assert sorted(one.topic for one in sent) == sorted([RISK_EVENTS, DECISIONS])
        acknowledge(sent[1 - last])
        await settle()
        assert engine.changelog() == [], "rows that remember an event wait for its outputs"
        acknowledge(sent[last])
        await settle()
        assert (engine.offsets.marked, engine.stored(0), engine.tally.events_in) == ([], [], 0)
        acknowledge(*engine.changelog())
        await settle()
        assert {tp: offset for tp, offset, _ in engine.offsets.marked} == {(ORDERS, 0): 1}
        assert USER.encode() in engine.stored(0)
        assert engine.tally.events_in == 1

    play(tmp_path, scenario)


def test_the_store_says_up_to_where_of_the_changelog_it_is(tmp_path: Path) -> None:
    async def scenario(engine: Engine, _: "asyncio.Task[None]") -> None:
        for number, end in ((0, 17), (1, 40)):
            acknowledge(*await engine.step(nth(number)))
            await settle()
            engine.changelog()[-1].acknowledge(end)
            await settle()
            assert engine.held.stores[0].offset == end

    play(tmp_path, scenario)


@pytest.mark.parametrize("answers", list(itertools.permutations(range(3))))
def test_in_whatever_order_steps_are_acknowledged_they_become_durable_in_theirs(
    tmp_path: Path, answers: tuple[int, ...]
) -> None:
    async def scenario(engine: Engine, _: "asyncio.Task[None]") -> None:
        steps = [await engine.step(nth(number)) for number in range(3)]
        durable = 0
        for answered in answers:
            acknowledge(*steps[answered])
            await settle()
            assert engine.committed() == durable, "rows of what is acknowledged now are on their way"
            while transactions := engine.unanswered_changelog():
                acknowledge(*transactions)
                await settle()
            durable = complete([step[0] for step in steps])
            assert engine.committed() == durable
        assert durable == len(steps)

    play(tmp_path, scenario)


def complete(deliveries: list[Delivery]) -> int:
    """How many are acknowledged before the first that is not."""
    return len(list(itertools.takewhile(lambda delivery: delivery.answer.done(), deliveries)))


def test_only_so_many_steps_are_under_way(tmp_path: Path) -> None:
    async def scenario(engine: Engine, _: "asyncio.Task[None]") -> None:
        steps = [await engine.step(nth(number)) for number in range(STEPS_BEING_SENT + 2)]
        assert [bool(step) for step in steps] == [True] * STEPS_BEING_SENT + [False] * 2
        assert engine.worker.pipeline.waiting == 2
        await engine.finish(*steps[0])
        assert engine.worker.pipeline.waiting == 0, "what waited goes as one step"

    play(tmp_path, scenario)


def test_a_backlog_has_only_so_many_records_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.worker.exactly_once.RECORDS_IN_FLIGHT", 2)

    async def scenario(engine: Engine, _: "asyncio.Task[None]") -> None:
        steps = [await engine.step(nth(number)) for number in range(3)]
        assert [bool(step) for step in steps] == [True, True, False]
        assert engine.worker.pipeline.waiting == 1
        await engine.finish(*steps[0])
        assert engine.worker.pipeline.waiting == 0

    play(tmp_path, scenario)


def test_a_failed_delivery_ends_the_loop_and_nothing_after_it_is_durable(tmp_path: Path) -> None:
    async def scenario(engine: Engine, running: "asyncio.Task[None]") -> None:
        before, failed, after = [(await engine.step(nth(number)))[0] for number in range(3)]
        acknowledge(before, after)
        await settle()
        acknowledge(*engine.changelog())
        failed.answer.set_exception(DeliveryFailed("intent-events", 0, OSError("disk full")))
        with pytest.raises(DeliveryFailed, match="disk full"):
            await running
        await settle()
        assert engine.offsets.marked == [(CLICKS, 1, engine.generation)]
        assert engine.offsets.ledger.durable(CLICKS) == 1
        assert engine.tally.events_in == 1

    play(tmp_path, scenario)


def test_rows_that_cannot_be_written_have_their_partition_read_back(tmp_path: Path) -> None:
    """Another worker has fenced this one, which slept through its session; or the broker forgot the transaction."""

    async def scenario(engine: Engine, _: "asyncio.Task[None]") -> None:
        await engine.finish(*await engine.step(order(USER, 1, "o1")))
        acknowledge(*await engine.step(order(USER, 2, "o2")))
        await settle()
        engine.changelog()[-1].answer.set_exception(ProducerFenced())
        await engine.finish(*await engine.step(order(USER, 3, "o3")))
        assert (engine.given_up, engine.committed(), len(engine.changelog())) == (1, 1, 2)
        await engine.assign(0, 1)
        await engine.finish(*await engine.step(order(USER, 4, "o4")))
        assert (engine.given_up, engine.committed(), len(engine.changelog())) == (1, 4, 3)
        assert USER.encode() in engine.stored(0)

    play(tmp_path, scenario)


def test_a_transaction_that_the_broker_does_not_answer_is_told_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exactly_once, "_SLOW_S", 0.0)

    async def scenario(engine: Engine, _: "asyncio.Task[None]") -> None:
        acknowledge(*await engine.step(nth(0)))
        with capture_logs() as logs:
            await settle()
        assert [(one["event"], one["partition"]) for one in logs] == [("a transaction is still not committed", 0)]

    play(tmp_path, scenario)


def test_a_drain_after_a_failed_delivery_ends_and_what_was_durable_before_is_committed(tmp_path: Path) -> None:
    async def scenario(engine: Engine, running: "asyncio.Task[None]") -> None:
        before = await engine.step(nth(0))
        (failed,) = await engine.step(nth(1))
        await engine.finish(*before)
        failed.answer.set_exception(DeliveryFailed("intent-events", 0, OSError("disk full")))
        with pytest.raises(DeliveryFailed):
            await running
        await engine.processor.drain()
        assert engine.committed() == 1

    play(tmp_path, scenario)


def test_a_drain_waits_for_what_was_sent_and_forgets_what_waits(tmp_path: Path) -> None:
    async def scenario(engine: Engine, _: "asyncio.Task[None]") -> None:
        sent = await engine.step(nth(0))
        engine.offsets.lags[ORDERS, 0] = 1
        assert await engine.step(nth(1)) == [], "it waits for the order"
        draining = asyncio.create_task(engine.processor.drain())
        await settle()
        assert not draining.done()
        await engine.finish(*sent)
        await draining
        assert engine.offsets.marked == [(CLICKS, 1, engine.generation)]
        assert engine.worker.pipeline.waiting == 0
        engine.offsets.lags.clear()
        assert await engine.step(nth(2)) == [], "the partitions may be given up"

        engine.generation += 1
        await engine.assign(0, 1)
        await engine.finish(*await engine.step(nth(3)))
        assert engine.broker.taken[-1].topic == CHANGELOG, "it goes on with the next assignment"

    play(tmp_path, scenario)


def test_the_same_partitions_assigned_again_in_the_same_generation_go_on(tmp_path: Path) -> None:
    """A member that joins again may be told the generation it had: what is fetched then is not of before."""

    async def scenario(engine: Engine, _: "asyncio.Task[None]") -> None:
        await engine.finish(*await engine.step(nth(0)))
        await engine.processor.drain()
        assert await engine.step(nth(1)) == [], "of before the assignment: it is fetched again"
        await engine.assign(0, 1)
        assert engine.worker.pipeline.waiting == 0
        assert await engine.step(nth(2))

    play(tmp_path, scenario)


def test_what_is_left_of_an_earlier_generation_is_not_taken_in(tmp_path: Path) -> None:
    async def scenario(engine: Engine, _: "asyncio.Task[None]") -> None:
        engine.generation += 1
        await engine.assign(0, 1)
        engine.offsets.lags[ORDERS, 0] = 1
        await engine.step(nth(0))
        engine.generation -= 1
        await engine.step(nth(1))
        assert engine.worker.pipeline.waiting == 1

    play(tmp_path, scenario)


def test_a_drain_waits_for_a_step_whose_records_are_being_handed_over(tmp_path: Path) -> None:
    async def scenario(engine: Engine, _: "asyncio.Task[None]") -> None:
        engine.broker.open.clear()
        assert await engine.step(nth(0)) == []
        draining = asyncio.create_task(engine.processor.drain())
        await settle()
        assert not draining.done()
        engine.broker.open.set()
        await settle()
        assert not draining.done()
        await engine.finish(*engine.broker.taken)
        await draining
        assert engine.offsets.marked == [(CLICKS, 1, engine.generation)]

    play(tmp_path, scenario)


def test_work_on_a_partition_that_was_given_away_reaches_neither_store_nor_commit(tmp_path: Path) -> None:
    async def scenario(engine: Engine, _: "asyncio.Task[None]") -> None:
        acknowledge(*await engine.step(nth(0), click(OTHER, 0, "other")))
        await settle()
        engine.generation += 1
        await engine.assign(1)
        await engine.assign(0, 1)
        acknowledge(*engine.unanswered_changelog())
        await settle()
        assert engine.offsets.marked == []
        assert (engine.stored(0), engine.stored(1)) == ([], []), "both were read back"

    play(tmp_path, scenario)


def test_input_whose_rows_were_not_sent_is_never_durable_though_the_generation_is_still_the_same(
    tmp_path: Path,
) -> None:
    """A drain that was cut short: the member joins again, is told the generation it had, and reads its rows back."""

    async def scenario(engine: Engine, _: "asyncio.Task[None]") -> None:
        sent = await engine.step(nth(0))
        await engine.assign(0, 1)
        acknowledge(*sent)
        await settle()
        assert engine.changelog() == []
        assert engine.offsets.ledger.committable() == {}, "else a crash would lose the click: no row includes it"

    play(tmp_path, scenario)


def test_rows_of_partitions_given_away_or_read_back_meanwhile_do_not_enter_the_changelog(tmp_path: Path) -> None:
    async def scenario(engine: Engine, _: "asyncio.Task[None]") -> None:
        sent = await engine.step(nth(0), click(OTHER, 0, "other"))
        engine.generation += 1
        await engine.assign(1)
        acknowledge(*sent)
        await settle()
        assert engine.changelog() == [], "one partition is another worker's, the other was read back"

    play(tmp_path, scenario)


def test_records_of_a_partition_that_is_not_held_are_not_taken_in(tmp_path: Path) -> None:
    async def scenario(engine: Engine, _: "asyncio.Task[None]") -> None:
        await engine.assign(1)
        sent = await engine.step(nth(0), click(OTHER, 0, "other"))
        assert {delivery.partition for delivery in sent} == {1}

    play(tmp_path, scenario)
