"""What a worker does with what the control topic says, and what it tells others; no broker, fake models."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from app.kafka.compacted import Changes
from app.kafka.topics import TopicError
from app.models.runtime import Floats, IntentScores
from app.ops.metrics import Metrics
from app.registry.control import canaried, nothing, promoted, rolled_back, shadowed
from app.registry.guard import Limits
from app.registry.loading import Refused
from app.registry.notices import Notice, Notices
from app.registry.registry import ModelRegistry, Worker
from app.registry.slots import IntentSlot, RiskSlot, Slot, TextSlot
from app.step import Models
from app.text.recogniser import TextReader, Understood
from app.text.slots import Slots
from schemas.control import ModelControl, ModelStatus
from schemas.outputs import Alert
from schemas.topics import ALERTS, INTENT_EVENTS, MODEL_CONTROL, MODEL_STATUS, RISK_EVENTS
from tests.fakes import FakeIntentModel, FakeRiskModel, fake_models
from tests.harness import MINUTE, SCORED_AT, Record, click, failures, on, order
from tests.harness import Worker as Pipe

NAME = "fake-intent"
LIMITS = Limits(window=100, probation=300, failures=0.05, slowdown=3.0, shift=0.25)
NONE = nothing(NAME)


class NoNumber(FakeIntentModel):
    def score(self, features: Floats, hidden: Floats) -> IntentScores:
        scores = super().score(features, hidden)
        return IntentScores(scores.hidden, scores.probabilities, np.full(len(features), np.nan, np.float32))


class Raising(FakeIntentModel):
    def score(self, features: Floats, hidden: Floats) -> IntentScores:
        raise RuntimeError("out of memory")


class Sure(FakeIntentModel):
    """Everybody buys."""

    def score(self, features: Floats, hidden: Floats) -> IntentScores:
        scores = super().score(features, hidden)
        return IntentScores(scores.hidden, scores.probabilities, np.full(len(features), 0.999, np.float32))


class OtherRisk(FakeRiskModel):
    version = "2"


class Reader:
    """Says its version's intent of everything."""

    name = "fake-text"

    def __init__(self, version: str, intent: str | None = "other", error: Exception | None = None) -> None:
        self.version = version
        self._intent, self._error = intent, error

    def read(self, texts: Sequence[str]) -> list[Understood]:
        if self._error is not None:
            raise self._error
        return [Understood(self._intent, "en", Slots(), 0.5, 0.5, 0.9) for _ in texts]


READERS: dict[str, TextReader] = {
    "1": Reader("1"),
    "2": Reader("2", "track_order"),
    "nan": Reader("nan", None),
    "raising": Reader("raising", error=RuntimeError("out of memory")),
}
VERSIONS: dict[str, Callable[[], FakeIntentModel]] = {
    "2": lambda: FakeIntentModel("2"),
    "3": lambda: FakeIntentModel("3", "other"),
    "nan": lambda: NoNumber("nan"),
    "raising": lambda: Raising("raising"),
    "sure": lambda: Sure("sure"),
}


def load(version: str) -> FakeIntentModel:
    if version not in VERSIONS:
        raise Refused(f"there is no version {version}")
    return VERSIONS[version]()


class Stage:
    """A pipeline with a registry, and what that sent."""

    def __init__(self) -> None:
        models = replace(fake_models(), text=READERS["1"])
        self.pipe = Pipe(models)
        self.sent: list[Notice] = []
        self.metrics = Metrics(CollectorRegistry())
        self.notices = Notices(self._send)
        self.turn = 0
        self.texts = False
        self._users = 40

        def load_risk(version: str) -> FakeRiskModel:
            return OtherRisk()

        slots: list[Slot] = [
            IntentSlot(NAME, models.intent, "1", load),
            RiskSlot("fake-risk", models.risk, "1", load_risk),
            TextSlot("fake-text", READERS["1"], "1", lambda version: READERS[version], is_paced=False),
        ]
        self.registry = ModelRegistry(
            Worker("group", "one", lambda: SCORED_AT), slots, LIMITS, self._swap, self.notices, self.metrics
        )

    def _swap(self, change: Callable[[Models], Models]) -> None:
        self.pipe.pipeline.models = change(self.pipe.pipeline.models)

    async def _send(self, notice: Notice) -> None:
        self.sent.append(notice)

    def hear(self, *controls: ModelControl | tuple[bytes, bytes | None]) -> list[Notice]:
        """Let the registry hear of these; what it sends."""
        return asyncio.run(self._hear(controls))

    async def _hear(self, controls: Sequence[ModelControl | tuple[bytes, bytes | None]]) -> list[Notice]:
        async def changes() -> AsyncIterator[Changes]:
            for one in controls:
                key, value = (one.name.encode(), msgspec.json.encode(one)) if isinstance(one, ModelControl) else one
                yield {key: value}

        before = len(self.sent)
        await self.registry.follow(changes())
        await self.registry.ready()
        await self.notices.flush()
        return self.sent[before:]

    def step(self, steps: int = 1) -> list[Record]:
        """Clicks of 40 users a step, through pipeline and registry."""
        found = []
        for _ in range(steps):
            texts = {"query": "boots"} if self.texts else {}
            clicks = [click(f"u{n}", self.turn * MINUTE + n, f"{self.turn}-{n}", **texts) for n in range(self._users)]
            self.turn += 1
            found += self.pipe.run(*clicks)
            self.registry.stepped(self.pipe.works[-1].effects)
        return found

    def told(self) -> list[Notice]:
        """What was sent since."""
        before = len(self.sent)
        asyncio.run(self.notices.flush())
        return self.sent[before:]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def versions(records: list[Record]) -> set[str]:
    return {record.body["model"]["version"] for record in on(INTENT_EVENTS, records)}


def statuses(notices: list[Notice]) -> list[ModelStatus]:
    found = [notice.value for notice in notices if notice.topic == MODEL_STATUS and b"fake-intent" in notice.key]
    return [msgspec.json.decode(value, type=ModelStatus) for value in found if value is not None]


def controls(notices: list[Notice]) -> list[ModelControl]:
    found = [notice.value for notice in notices if notice.topic == MODEL_CONTROL]
    return [msgspec.json.decode(value, type=ModelControl) for value in found if value is not None]


def alerts(notices: list[Notice]) -> list[Alert]:
    found = [notice.value for notice in notices if notice.topic == ALERTS]
    return [msgspec.json.decode(value, type=Alert) for value in found if value is not None]


def test_a_promoted_version_serves_from_the_next_step_and_a_rollback_undoes_it(stage: Stage) -> None:
    assert versions(stage.step()) == {"1"}
    promotion = promoted(NONE, "2", "1", "", 0)
    (status,) = statuses(stage.hear(promotion))
    assert (status.serving, status.revision, status.group, status.instance) == ("2", 1, "group", "one")
    assert versions(stage.step()) == {"2"}
    stage.hear(rolled_back(promotion, "", 0))
    assert versions(stage.step()) == {"1"}


def test_a_worker_that_starts_runs_what_is_in_force(stage: Stage) -> None:
    tried = canaried(shadowed(promoted(NONE, "2", "1", "", 0), "3", "", 0), "sure", 0.5, "", 0)
    (status,) = statuses(stage.hear(tried))
    assert (status.serving, status.shadow, status.canary, status.canary_share) == ("2", "3", "sure", 0.5)
    assert versions(stage.step()) == {"2", "sure"}


def test_what_is_refused_on_trial_keeps_nothing_else_from_its_place(stage: Stage) -> None:
    (status,) = statuses(stage.hear(canaried(shadowed(promoted(NONE, "2", "1", "", 0), "9", "", 0), "3", 0.5, "", 0)))
    assert (status.serving, status.shadow, status.canary) == ("2", None, "3")
    assert [refusal.version for refusal in status.refused] == ["9"]


def test_a_record_that_is_taken_back_leaves_the_settings_in_force(stage: Stage) -> None:
    stage.hear(promoted(NONE, "2", "1", "", 0))
    stage.hear((NAME.encode(), None))
    assert versions(stage.step()) == {"1"}


def test_a_refused_version_leaves_the_old_one_serving_and_says_why(stage: Stage) -> None:
    notices = stage.hear(promoted(NONE, "9", "1", "", 0))
    (status,) = statuses(notices)
    assert (status.serving, status.refused[0].version, status.refused[0].reason) == ("1", "9", "there is no version 9")
    (alert,) = alerts(notices)
    assert (alert.kind, alert.reasons, alert.alert_id) == ("model", ["MODEL_REFUSED"], f"model:{NAME}/9:refused:1")
    assert versions(stage.step()) == {"1"}
    assert stage.metrics.registry.get_sample_value("sluice_model_refusals_total", {"model": NAME}) == 1


@pytest.mark.parametrize("value", [b"", b"{", b"\xff", b'{"name":"fake-intent","revision":"x"}'])
def test_a_control_record_that_does_not_parse_changes_nothing(stage: Stage, value: bytes) -> None:
    stage.hear(promoted(NONE, "2", "1", "", 0), (NAME.encode(), value), (b"\xff\xfe", b"1"), (b"another", b"{"))
    assert versions(stage.step()) == {"2"}
    assert stage.metrics.registry.get_sample_value("sluice_unreadable_controls_total") == 1


def test_a_version_that_gives_no_numbers_is_rolled_back_with_an_alert_and_a_record(stage: Stage) -> None:
    stage.step()
    promotion = promoted(NONE, "nan", "1", "", 0)
    stage.hear(promotion)
    found = stage.step()
    assert failures(found) == [], "the version before stood in"
    assert (len(on(INTENT_EVENTS, found)), versions(found)) == (40, {"1"})
    assert versions(stage.step()) == {"1"}
    notices = stage.told()
    (control,) = controls(notices)
    assert (control.serving, control.previous, control.revision) == ("1", None, 2)
    (alert,) = alerts(notices)
    assert (alert.severity, alert.reasons, alert.subject.id) == ("critical", ["MODEL_FAILURES"], f"{NAME}/nan")
    assert statuses(notices)[-1].serving == "1"
    stage.hear(control)
    assert versions(stage.step()) == {"1"}
    rolled = {"model": NAME, "role": "serving", "reason": "failures"}
    assert stage.metrics.registry.get_sample_value("sluice_model_rollbacks_total", rolled) == 1


def test_a_version_whose_scores_lie_elsewhere_is_rolled_back(stage: Stage) -> None:
    stage.hear(promoted(NONE, "sure", "1", "", 0))
    stage.step(3)
    assert [alert.reasons for alert in alerts(stage.told())] == [["MODEL_SHIFT"]]
    assert versions(stage.step()) == {"1"}


def test_a_slow_version_is_rolled_back(stage: Stage) -> None:
    stage.hear(promoted(NONE, "2", "1", "", 0))
    for _ in range(10):
        stage.registry.called(NAME, "1", 40, 0.001)
        stage.registry.called(NAME, "2", 40, 0.004)
    stage.step(3)
    assert [alert.reasons for alert in alerts(stage.told())] == [["MODEL_LATENCY"]]
    assert versions(stage.step()) == {"1"}


@pytest.mark.parametrize("version", ["2", "3"])
def test_a_good_version_stays_and_the_one_before_is_asked_until_its_probation_is_over(
    stage: Stage, version: str
) -> None:
    stage.step(3)
    stage.hear(promoted(NONE, version, "1", "", 0))
    before = stage.pipe.pipeline.models.intent_trial.replaced
    assert before is not None
    assert isinstance(before.model, FakeIntentModel)
    asked = len(before.model.calls)
    stage.step(8)
    assert len(before.model.calls) > asked
    assert stage.pipe.pipeline.models.intent_trial.replaced is not None
    stage.step()
    assert stage.pipe.pipeline.models.intent_trial.replaced is None
    assert (alerts(stage.told()), versions(stage.step())) == ([], {version})


def test_with_another_encoder_both_versions_begin_anew_so_that_the_loss_of_memory_is_no_shift(stage: Stage) -> None:
    stage.step(2)
    stage.hear(promoted(NONE, "3", "1", "", 0))
    stage.step(2)
    for work in stage.pipe.works[2:]:
        (scored,) = work.effects.clicks
        assert scored.tried.replaced == pytest.approx(scored.purchase, abs=1e-6), "they have the same weights"


@pytest.mark.parametrize(("version", "reason"), [("nan", "FAILURES"), ("raising", "ERROR"), ("sure", "SHIFT")])
def test_a_bad_canary_is_ended_and_the_serving_version_goes_on(stage: Stage, version: str, reason: str) -> None:
    stage.hear(canaried(NONE, version, 0.4, "", 0))
    stage.step(12)
    notices = stage.told()
    assert [alert.reasons for alert in alerts(notices)] == [[f"MODEL_{reason}"]]
    assert [(control.canary, control.canary_share) for control in controls(notices)] == [(None, 0.0)]
    assert statuses(notices)[-1].canary is None
    assert versions(stage.step()) == {"1"}


@pytest.mark.parametrize(("version", "reason"), [("nan", "FAILURES"), ("raising", "ERROR")])
def test_a_bad_shadow_is_ended_and_changes_no_output(stage: Stage, version: str, reason: str) -> None:
    stage.hear(shadowed(NONE, version, "", 0))
    found, plain = stage.step(4), Stage().step(4)
    assert found == plain
    notices = stage.told()
    assert [alert.reasons for alert in alerts(notices)] == [[f"MODEL_{reason}"]]
    assert [control.shadow for control in controls(notices)] == [None]


def test_a_shadow_and_a_canary_are_compared_in_metrics_and_status(stage: Stage) -> None:
    stage.hear(canaried(shadowed(NONE, "3", "", 0), "2", 0.4, "", 0))
    stage.step(2)
    stage.registry.look()
    stage.registry.tell()
    (status,) = statuses(stage.told())
    assert {(trial.role, trial.version) for trial in status.trials} == {("shadow", "3"), ("canary", "2")}
    sample = stage.metrics.registry.get_sample_value
    assert sample("sluice_model_version_info", {"model": NAME, "version": "3", "role": "shadow"}) == 1
    counted = [
        sample("sluice_trial_records", {"model": NAME, "version": v, "role": r})
        for v, r in (("3", "shadow"), ("2", "canary"))
    ]
    assert sum(count or 0 for count in counted) == 80


def test_a_version_that_raises_is_rolled_back_and_no_step_fails(stage: Stage) -> None:
    stage.step()
    stage.hear(promoted(NONE, "raising", "1", "", 0))
    assert versions(stage.step()) == {"1"}
    notices = stage.told()
    assert [alert.reasons for alert in alerts(notices)] == [["MODEL_ERROR"]]
    assert [(control.serving, control.previous) for control in controls(notices)] == [("1", None)]
    assert versions(stage.step()) == {"1"}


def test_a_step_that_fails_on_probation_rolls_back_for_the_next_start(stage: Stage) -> None:
    stage.hear(promoted(NONE, "2", "1", "", 0))
    stage.registry.step_failed()
    (control,) = controls(stage.told())
    assert (control.serving, control.previous) == ("1", None)


def test_a_step_that_fails_without_probation_rolls_nothing_back(stage: Stage) -> None:
    stage.step()
    stage.registry.step_failed()
    assert controls(stage.told()) == []


def test_a_worker_that_leaves_takes_its_status_back(stage: Stage) -> None:
    stage.registry.leave()
    left = [notice for notice in stage.told() if notice.topic == MODEL_STATUS]
    assert [(notice.key, notice.value) for notice in left] == [
        (b"group/one/fake-intent", None),
        (b"group/one/fake-risk", None),
        (b"group/one/fake-text", None),
    ]


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


def test_a_model_of_orders_is_promoted_and_the_one_before_asked_beside_it(stage: Stage) -> None:
    promotion = promoted(nothing("fake-risk"), "2", "1", "", 0)
    stage.hear(promotion)
    (event,) = on(RISK_EVENTS, stage.pipe.run(order("u", 0, "order")))
    assert event.body["model"]["version"] == "2"
    (scored,) = stage.pipe.works[-1].effects.orders
    assert scored.tried.replaced == pytest.approx(scored.probability)
    stage.hear(rolled_back(promotion, "", 0))
    (event,) = on(RISK_EVENTS, stage.pipe.run(order("u", MINUTE, "another")))
    assert event.body["model"]["version"] == "1"


TEXT = nothing("fake-text")


@pytest.fixture
def writing(stage: Stage) -> Stage:
    """A stage whose visitors write."""
    stage.texts = True
    return stage


def read_as(records: list[Record]) -> set[str | None]:
    return {record.body.get("query_intent") for record in on(INTENT_EVENTS, records)}


def test_a_text_model_is_promoted_and_rolled_back_too(writing: Stage) -> None:
    assert read_as(writing.step()) == {"other"}
    promotion = promoted(TEXT, "2", "1", "", 0)
    writing.hear(promotion)
    assert read_as(writing.step()) == {"track_order"}
    writing.hear(rolled_back(promotion, "", 0))
    assert read_as(writing.step()) == {"other"}


@pytest.mark.parametrize(("version", "reason"), [("nan", "MODEL_FAILURES"), ("raising", "MODEL_ERROR")])
def test_a_bad_text_model_is_rolled_back_by_itself(writing: Stage, version: str, reason: str) -> None:
    writing.hear(promoted(TEXT, version, "1", "", 0))
    writing.step()
    assert [alert.reasons for alert in alerts(writing.told())] == [[reason]]
    assert read_as(writing.step()) == {"other"}


def test_what_a_new_text_model_cannot_read_the_one_before_does(writing: Stage) -> None:
    writing.hear(promoted(TEXT, "raising", "1", "", 0))
    records = writing.step()
    assert read_as(records) == {"other"}
    assert len(on(INTENT_EVENTS, records)) == 40


def test_a_text_model_has_no_trials(writing: Stage) -> None:
    notices = writing.hear(shadowed(TEXT, "2", "", 0))
    values = [notice.value for notice in notices if notice.topic == MODEL_STATUS and b"fake-text" in notice.key]
    (status,) = [msgspec.json.decode(value, type=ModelStatus) for value in values if value is not None]
    assert [refusal.version for refusal in status.refused] == ["2"]
    assert "no shadow and no canary" in status.refused[0].reason
