"""The model registry within a worker: its connections, its tasks, and the timing of every version."""

import asyncio
import time
from contextlib import suppress

from mode import Service

from app.kafka.compacted import follow
from app.ops.settings import Settings
from app.registry.guard import Limits
from app.registry.loading import INTENT, RISK, TEXT
from app.registry.notices import Notices
from app.registry.producing import NoticeProducer
from app.registry.registry import ModelRegistry, Swap, Worker
from app.registry.slots import IntentSlot, RiskSlot, Slot, TextSlot
from app.step import Models
from app.worker.assembly import now_ms
from app.worker.observer import Observer
from app.worker.timed import TimedIntent, TimedRisk, TimedText
from schemas.topics import MODEL_CONTROL

_TELL_S = 60.0
_LEAVE_S = 3.0


def model_registry(
    settings: Settings, models: Models, swap: Swap, observer: Observer, notices: Notices
) -> ModelRegistry:
    """The registry of a worker that runs ``models`` at first, as its settings name them; see `ModelRegistry`."""
    repository, provider = settings.model_repository, settings.provider
    clock, called = time.perf_counter, observer.model_called
    intent, risk = models.intent, models.risk
    slots: list[Slot] = [
        IntentSlot(
            intent.name,
            intent,
            intent.version,
            lambda version: TimedIntent(INTENT.checked(repository, intent.name, version, provider), clock, called),
        ),
        RiskSlot(
            risk.name,
            risk,
            risk.version,
            lambda version: TimedRisk(RISK.checked(repository, risk.name, version, provider), clock, called),
        ),
    ]
    if (text := models.text) is not None:
        name = text.name
        slots.append(
            TextSlot(
                name,
                text,
                text.version,
                lambda version: TimedText(TEXT.checked(repository, name, version, provider), clock, called),
                is_paced=False,  # what was read before is remembered
            )
        )
    worker = Worker(settings.group, settings.instance, now_ms)
    return ModelRegistry(worker, slots, _limits(settings), swap, notices, observer.metrics)


def _limits(settings: Settings) -> Limits:
    return Limits(
        window=settings.model_window,
        probation=settings.model_probation,
        failures=settings.model_max_failures,
        slowdown=settings.model_max_slowdown,
        shift=settings.model_max_shift,
    )


class ModelService(Service):  # type: ignore[misc]
    """Runs a registry beside the app: follows the control topic and sends what the registry says.

    Args:
        broker: HOST:PORT, several with commas.
        registry: of the worker.
        notices: where it puts what it says.
        producer: sends that.
    """

    def __init__(
        self, broker: str, registry: ModelRegistry, notices: Notices, producer: NoticeProducer, **options: object
    ) -> None:
        super().__init__(**options)
        self._broker = broker
        self._registry = registry
        self._notices = notices
        self._producer = producer

    async def on_stop(self) -> None:
        """Say that the worker is no more; a broker that is gone does not keep it."""
        self._registry.leave()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_S):
                await self._notices.flush()
        await self._producer.stop()

    @Service.task  # type: ignore[untyped-decorator]
    async def _follow(self) -> None:
        await self._registry.follow(follow(self._broker, MODEL_CONTROL))

    @Service.task  # type: ignore[untyped-decorator]
    async def _send(self) -> None:
        await self._notices.run()

    @Service.task  # type: ignore[untyped-decorator]
    async def _tell(self) -> None:
        while True:
            await self.sleep(_TELL_S)
            if self.should_stop:
                return
            self._registry.tell()
