"""A risk model that names velocities: the gate has its orders wait for them, it is asked with them, and reasons, trials
and drift know it as they know others."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from prometheus_client import CollectorRegistry

from app.backtest.judging import judge
from app.drift.distribution import Distribution, reference_of
from app.drift.windows import DriftLimits
from app.fanout.joiner import Joiners
from app.fanout.local import LocalFanOut
from app.fanout.parts import FanOutParts, taken_here
from app.kafka.compacted import Changes
from app.models.runtime import Floats, RiskScorer, RiskScores
from app.models.trial import Canary, Shadow, Trial
from app.ops.metrics import Metrics
from app.pipeline import Limits, Pipeline
from app.registry.control import nothing, promoted, rolled_back
from app.registry.notices import Notice, Notices
from app.registry.registry import ModelRegistry
from app.registry.registry import Worker as Who
from app.registry.slots import RiskSlot
from app.replay.recorded import RecordedBatch
from app.step import Models
from app.velocity.catalogue import CATALOGUE
from schemas.control import ModelControl
from schemas.topics import ALERTS, RISK_EVENTS
from tests.fakes import FakeIntentModel, FakeRiskModel, RiskByVelocity, fake_models
from tests.harness import (
    HOUR,
    LIVES,
    MINUTE,
    SCORED_AT,
    START,
    VALUE_BYTES,
    Input,
    Record,
    Worker,
    on,
    order,
    records_of,
)
from tests.registry.stage import LIMITS
from tests.rules.rulesets import book, rule

LIMIT = Limits(4096, VALUE_BYTES, 0.0)
WATCHING = book(policies=[{"id": "p", "thresholds": {}, "watch": 0}])
"""No rule, and every score is explained."""


class Wary(RiskByVelocity):
    """Finds what is not known suspicious."""

    def score(self, features: Floats) -> RiskScores:
        contributions = np.isnan(features).astype(np.float32)
        return RiskScores(np.full(len(features), 0.5, np.float32), contributions)


class Unsure(RiskByVelocity):
    """Gives no number where a device is shared."""

    def score(self, features: Floats) -> RiskScores:
        scores = super().score(features)
        shared = features[:, self.inputs.names.index("device_users_24h")] > 1
        return RiskScores(np.where(shared, np.float32(np.nan), scores.probability), scores.contributions)


def shared(count: int, **more: object) -> list[Input]:
    """Orders of as many users on one device."""
    return [order(f"u{number}", number * MINUTE, f"{number}", device_id="d", **more) for number in range(count)]


def models(risk: RiskScorer, trial: Trial[RiskScorer] | None = None) -> Models:
    return Models(FakeIntentModel(), risk, risk_trial=trial or Trial(), rules=WATCHING)


def risks(records: Sequence[Record]) -> list[dict[str, Any]]:
    return [record.body for record in on(RISK_EVENTS, records)]


def features_of(risk: dict[str, Any]) -> set[str]:
    return {reason["feature"] for reason in risk["reasons"]}


def test_a_model_is_asked_with_what_the_order_was_told_and_a_reason_shows_it() -> None:
    *_, last = risks(Worker(models(RiskByVelocity())).run(*shared(3)))
    assert last["model"] == {"name": "fake-risk", "version": "2"}
    assert "partial" not in last
    reason = next(one for one in last["reasons"] if one["code"] == "DEVICE_USERS_24H")
    assert (reason["source"], reason["feature"], reason["value"]) == ("model", "device_users_24h", 3.0)
    assert reason["text"] == "users by device in 24 h: 3"
    assert reason["contribution"] > 0


def test_more_users_of_a_device_raise_the_score_and_nothing_else_does() -> None:
    alone = [order(f"u{number}", number * MINUTE, f"{number}", device_id=f"d{number}") for number in range(3)]
    together, apart = (risks(Worker(models(RiskByVelocity())).run(*orders)) for orders in (shared(3), alone))
    assert together[0]["probability"] == apart[0]["probability"]
    assert together[0]["probability"] < together[1]["probability"] < together[2]["probability"]
    assert len({risk["probability"] for risk in apart}) == 1


def test_what_is_not_known_is_no_number_for_the_model_and_a_reason_says_so() -> None:
    (risk,) = risks(Worker(models(Wary())).run(order("u", 0, "1", device_id="d")))
    (reason,) = risk["reasons"]
    assert (reason["feature"], reason["text"]) == ("card_orders_1h", "orders by card in 1 h: not known")
    assert "value" not in reason


def test_where_nobody_is_asked_a_model_goes_without_velocities() -> None:
    nobody = Worker(models(Wary()), fan_out=LocalFanOut(1, ()))
    (risk,) = risks(nobody.run(order("u", 0, "1", device_id="d", card_hash="c")))
    assert features_of(risk) == {"device_users_24h", "user_orders_24h", "card_orders_1h", "device_frauds_30d"}


def test_each_version_is_asked_with_its_own_inputs_and_explained_by_them() -> None:
    orders = shared(20)
    for serving, tried in ((FakeRiskModel(), RiskByVelocity()), (RiskByVelocity(), FakeRiskModel())):
        trial = Trial[RiskScorer](Canary(tried, 0.5), Shadow(tried))
        worker = Worker(models(serving, trial))
        found = risks(worker.run(*orders))
        alone = {one.version: risks(Worker(models(one)).run(*orders)) for one in (serving, tried)}
        assert {risk["model"]["version"] for risk in found} == {"1", "2"}
        for place, risk in enumerate(found):
            expected = alone[risk["model"]["version"]][place]
            assert risk["probability"] == expected["probability"]
            assert risk["reasons"] == expected["reasons"]
        (scored,) = worker.works[-1].effects.orders
        assert scored.tried.shadow is not None
        assert scored.tried.canary is not None
        seen = np.round(scored.tried.shadow[~scored.tried.canary].astype(np.float64), 6).tolist()
        by_shadow = {risk["source_event_id"]: risk["probability"] for risk in alone[tried.version]}
        ids = [id_ for id_, taken in zip(scored.event_ids, scored.tried.canary, strict=True) if not taken]
        assert seen == [by_shadow[id_] for id_ in ids]


def test_the_version_before_stands_in_with_inputs_of_its_own() -> None:
    before = Shadow[RiskScorer](FakeRiskModel())
    first, second = risks(Worker(models(Unsure(), Trial(replaced=before))).run(*shared(2)))
    assert (first["model"]["version"], second["model"]["version"]) == ("2", "1")
    assert second["reasons"] == risks(Worker(models(FakeRiskModel())).run(*shared(2)))[1]["reasons"]


def test_a_backtest_asks_the_model_with_what_orders_were_told() -> None:
    orders = shared(3)
    recording = RecordedBatch(
        [one.topic for one in orders],
        [one.key or b"" for one in orders],
        [START + number * MINUTE for number in range(3)],
        [one.value or b"" for one in orders],
    )
    judged, _ = judge([recording], models(RiskByVelocity()), LIVES, lambda events: None)
    told = [risk["risk_score"] for risk in risks(Worker(models(RiskByVelocity())).run(*orders))]
    assert judged.score.tolist() == told
    assert told == sorted({*told})


def test_what_is_looked_at_is_what_rules_and_versions_in_force_name() -> None:
    rules = book(rule("busy", "ip_orders_1h > 3", mode="shadow"), rule("shared", "device_users_24h > 2", mode="shadow"))
    plain = replace(fake_models(), rules=rules)
    assert [one.name for one in plain.velocities] == ["device_users_24h", "ip_orders_1h"]
    everything = {"device_users_24h", "ip_orders_1h", "user_orders_24h", "card_orders_1h", "device_frauds_30d"}
    versions = RiskByVelocity()
    for tried in (
        replace(plain, risk=versions),
        replace(plain, risk_trial=Trial[RiskScorer](canary=Canary(versions, 0.1))),
        replace(plain, risk_trial=Trial[RiskScorer](shadow=Shadow(versions))),
        replace(plain, risk_trial=Trial[RiskScorer](replaced=Shadow(versions))),
    ):
        assert {one.name for one in tried.velocities} == everything
    assert [one for one in CATALOGUE if one in tried.velocities] == [*tried.velocities]


class Live:
    """A pipeline whose models a registry swaps, beside a fan-out that asks for what it looks at."""

    def __init__(self) -> None:
        self.joiners = Joiners(deadline=None)
        self.worker = Worker(fake_models())
        self.pipeline = Pipeline(fake_models(), LIVES, LIMIT, 1, True, self.joiners)
        self.parts = FanOutParts(range(1), 1, CATALOGUE, self.joiners, max_idle=0)
        self.parts.use(self.pipeline.velocities)
        slot = RiskSlot("fake-risk", self.pipeline.models.risk, "1", lambda version: RiskByVelocity())
        who, metrics = Who("group", "one", lambda: SCORED_AT), Metrics(CollectorRegistry())
        self.registry = ModelRegistry(who, [slot], LIMITS, self._swap, Notices(_nowhere), metrics)
        self.now = 0.0

    def hear(self, control: ModelControl) -> None:
        async def changes() -> AsyncIterator[Changes]:
            yield {control.name.encode(): msgspec.json.encode(control)}

        asyncio.run(self.registry.follow(changes()))

    def feed(self, *inputs: Input) -> None:
        for fetched in self.worker.fetches(inputs):
            self.pipeline.feed(fetched)
            self.parts.partitions[fetched.partition].feed(fetched)

    def ask(self) -> None:
        """Let the owners be told, and answer."""
        self.now += 1
        asks = self.parts.asks(lambda number, topic: 0, self.now)
        self.parts.hear(self.parts.answers(taken_here(asks, 1), 1))

    def work(self) -> list[dict[str, Any]]:
        found: list[Record] = []
        while work := self.pipeline.work(lambda _: 0, self.now, SCORED_AT):
            found += records_of(work)
            self.joiners.of(0).through(max(offset for (_, _), offset in work.next_offsets.items()))
        return risks(found)

    def _swap(self, change: Any) -> None:  # noqa: ANN401 - see `Swap`
        self.pipeline.models = change(self.pipeline.models)
        self.parts.use(self.pipeline.velocities)


async def _nowhere(_: Notice) -> None:
    return None


def test_orders_begin_to_wait_when_such_a_version_is_promoted_and_cease_when_it_goes() -> None:
    live = Live()
    before, asked, after, late = shared(4)
    live.feed(before)
    (first,) = live.work()
    assert first["model"]["version"] == "1"
    live.ask()
    live.feed(asked)
    live.ask()
    promotion = promoted(nothing("fake-risk"), "2", "1", "", 0)
    live.hear(promotion)
    (second,) = live.work()
    assert second["model"]["version"] == "2"
    assert second["partial"] is True, "it was asked about before anybody looked"
    live.feed(after)
    assert live.work() == []
    live.ask()
    (third,) = live.work()
    assert "partial" not in third
    assert third["probability"] == risks(Worker(models(RiskByVelocity())).run(*shared(3)))[2]["probability"]
    live.hear(rolled_back(promotion, "", 0))
    live.feed(late)
    (fourth,) = live.work()
    assert fourth["model"]["version"] == "1"
    assert live.pipeline.velocities == ()


def test_drift_is_watched_in_what_a_model_was_told() -> None:
    risk = RiskByVelocity()
    zeros = np.zeros((100, len(risk.inputs.names)))
    reference = reference_of(risk.inputs.names, zeros, np.linspace(0, 1, 100), np.ones(100))
    risk.distribution = Distribution(reference, risk.inputs.names)  # type: ignore[attr-defined]
    watched = replace(models(risk), drift=DriftLimits(window_ms=HOUR, one_in=1, min_rows=20))
    found = " ".join(record.body["alert_id"] for record in on(ALERTS, Worker(watched).run(*shared(70))))
    assert "drift:fake-risk/2:device_users_24h:" in found
    assert ":card_orders_1h:" not in found, "no order has a card"
