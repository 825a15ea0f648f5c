"""A registry beside a pipeline, as in a worker: fake models, no broker."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

import msgspec
import numpy as np
from prometheus_client import CollectorRegistry

from app.kafka.compacted import Changes
from app.models.runtime import Floats, IntentScores
from app.ops.metrics import Metrics
from app.registry.control import nothing
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
from schemas.topics import ALERTS, INTENT_EVENTS, MODEL_CONTROL, MODEL_STATUS
from tests.fakes import FakeIntentModel, FakeRiskModel, fake_models
from tests.harness import MINUTE, SCORED_AT, Record, click, on
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
