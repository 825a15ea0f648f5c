"""The models of a worker, as the control topic wants them.

A version that comes into force is loaded beside the others in a thread, checked, and put in place between two steps: a
step is computed without a pause on the event loop, so whatever runs there runs between two. What does not pass is
refused, and what served goes on. A version that fails on probation goes out the same way, at once on this worker and by
a control record on all others.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from app.effects import Effects
from app.kafka.compacted import Changes
from app.ops.metrics import Metrics
from app.registry.control import ControlUnreadable, canaried, decode, nothing, rolled_back, shadowed
from app.registry.guard import Fault, Guard, Limits
from app.registry.loading import Refused, short_turns
from app.registry.notices import (
    Notice,
    Notices,
    control_notice,
    fault_alert,
    refusal_alert,
    status_key,
    status_notice,
)
from app.registry.pace import Pace
from app.registry.slots import Slot
from app.step import Models
from schemas.control import ModelControl, ModelStatus, Refusal
from schemas.topics import MODEL_STATUS

log = structlog.get_logger(__name__)

Swap = Callable[[Callable[[Models], Models]], None]
"""Puts in force what a function makes of what is in force: others change other parts of it."""


@dataclass(frozen=True, slots=True)
class Worker:
    """Who this is: group and instance, and the time in ms since the epoch."""

    group: str
    instance: str
    now_ms: Callable[[], int]


@dataclass(eq=False)
class _State:
    """One model: its slot, what is in force, and what was refused of it."""

    slot: Slot
    guard: Guard
    initial: str
    control: ModelControl
    refused: dict[str, str] = field(default_factory=dict)


class ModelRegistry:
    """Keeps the models of a worker.

    Args:
        worker: who this is.
        slots: the models' versions, in force at first by the worker's settings.
        limits: of versions on probation.
        swap: changes what is in force from the next step on.
        notices: to others.
        metrics: of the worker.
    """

    def __init__(
        self,
        worker: Worker,
        slots: Sequence[Slot],
        limits: Limits,
        swap: Swap,
        notices: Notices,
        metrics: Metrics,
    ) -> None:
        self._worker = worker
        self._swap = swap
        self._notices = notices
        self._metrics = metrics
        self._paces: defaultdict[tuple[str, str], Pace] = defaultdict(Pace)
        self._states = {slot.name: self._begun(slot, limits) for slot in slots}
        self._ready = asyncio.Event()

    def _begun(self, slot: Slot, limits: Limits) -> _State:
        def slowness(one: str, other: str) -> float | None:
            if not slot.is_paced:
                return None
            return self._paces[slot.name, one].relative_to(self._paces[slot.name, other])

        return _State(slot, Guard(limits, slowness, slot.serving), slot.serving, nothing(slot.name))

    async def ready(self) -> None:
        """Until what was in force at the start is in force here."""
        await self._ready.wait()

    async def follow(self, changes: AsyncIterator[Changes]) -> None:
        """Put in force what the control topic says, as it says it."""
        async for change in changes:
            for key, value in change.items():
                await self._heed(key, value)
            self._ready.set()
            self.tell()

    def called(self, name: str, version: str, rows: int, seconds: float) -> None:
        """A version was asked to score so many rows, which took so long."""
        self._paces[name, version].called(rows, seconds)

    def stepped(self, effects: Effects) -> None:
        """Look at what a step's scores were; whatever must go is gone before the next."""
        for state in self._states.values():
            for error in state.slot.errors():
                self._take_out(state, Fault(*error))
            for sample in state.slot.samples(effects):
                for fault in state.guard.observe(sample):
                    self._take_out(state, fault)
            if state.slot.on_probation and not state.guard.on_probation:
                state.slot.end_probation()
                self._settle(state)

    def step_failed(self) -> None:
        """A step raised, after which the worker ends: what serves on probation may be why, and is rolled back."""
        for state in self._states.values():
            if state.guard.on_probation:
                fault = Fault("serving", state.slot.serving, "error", "a step failed while it was on probation")
                self._take_out(state, fault)

    def tell(self) -> None:
        """Say what is in force here."""
        for state in self._states.values():
            self._notices.put(status_notice(self._status(state)))

    def leave(self) -> None:
        """Say that this worker is no more."""
        for name in self._states:
            key = status_key(self._worker.group, self._worker.instance, name)
            self._notices.put(Notice(MODEL_STATUS, key, None))

    def look(self) -> None:
        """Tell the metrics what is in force, and how the trials compare."""
        self._metrics.models({name: _roles(state.slot) for name, state in self._states.items()})
        self._metrics.trials({name: state.guard.comparisons() for name, state in self._states.items()})

    async def _heed(self, key: bytes, value: bytes | None) -> None:
        state = self._states.get(key.decode(errors="replace"))
        if state is None:
            return  # of a model that this worker does not run
        try:
            control = nothing(state.slot.name) if value is None else decode(key, value)
        except ControlUnreadable as problem:
            self._metrics.control_unreadable()
            log.warning("a control record is left out, and what was in force stays", reason=str(problem))
            return
        await self._load(state, control)
        self._put_in_force(state, control)

    async def _load(self, state: _State, control: ModelControl) -> None:
        """Load what ``control`` names; what is refused is noted in the state."""
        wanted = {control.serving or state.initial, control.shadow, control.canary} - {None}
        state.refused = {}
        for version, reason in state.slot.refused(control).items():
            self._refuse(state, control, version, reason)
        loadable = {version for version in wanted if version is not None} - state.refused.keys()
        for version in state.slot.missing(loadable):
            try:
                with short_turns():
                    put = await asyncio.to_thread(state.slot.load, version)
            except Refused as refusal:
                self._refuse(state, control, version, str(refusal))
            else:
                put()

    def _refuse(self, state: _State, control: ModelControl, version: str, reason: str) -> None:
        name = state.slot.name
        state.refused[version] = reason
        self._metrics.model_refused(name)
        log.error("a version is refused, and what was in force stays", model=name, version=version, reason=reason)
        self._notices.put(refusal_alert(name, version, reason, control.revision, self._worker.now_ms()))

    def _put_in_force(self, state: _State, control: ModelControl) -> None:
        slot, version = state.slot, control.serving or state.initial
        if version != slot.serving and version not in state.refused:
            self._serve(state, version, on_probation=control.previous == slot.serving)
        slot.try_(control)
        state.control = control
        self._settle(state)

    def _serve(self, state: _State, version: str, *, on_probation: bool) -> None:
        slot = state.slot
        log.info("a version takes over", model=slot.name, version=version, before=slot.serving)
        state.guard.serve(version, on_probation=on_probation)
        slot.serve(version, on_probation=state.guard.on_probation)
        self._metrics.model_swapped(slot.name)

    def _settle(self, state: _State) -> None:
        """Have the pipeline use what the slot says, from the next step on."""
        slot, guard = state.slot, state.guard
        slot.keep({state.control.previous or state.initial, state.initial})
        guard.try_("shadow", slot.shadow)
        guard.try_("canary", slot.canary[0] if slot.canary else None)
        self._swap(slot.put)

    def _take_out(self, state: _State, fault: Fault) -> None:
        """Take a version out of force: here before the next step, elsewhere by the control record."""
        slot, now_ms = state.slot, self._worker.now_ms()
        log.error("a version is taken out of force", model=slot.name, **_said(fault))
        self._metrics.model_rolled_back(slot.name, fault.role, fault.kind)
        control, revision = state.control, state.control.revision
        if fault.role == "serving" and control.previous is not None:
            state.control = rolled_back(control, f"rolled back by itself: {fault.reason}", now_ms)
            self._serve(state, control.previous, on_probation=False)
        elif fault.role == "canary" and control.canary is not None:
            state.control = canaried(control, None, 0.0, f"canary ended by itself: {fault.reason}", now_ms)
        elif fault.role == "shadow" and control.shadow is not None:
            state.control = shadowed(control, None, f"shadow ended by itself: {fault.reason}", now_ms)
        if fault.role != "serving":
            slot.end_trial(fault.role)
        self._settle(state)
        self._notices.put(control_notice(state.control))
        self._notices.put(fault_alert(slot.name, fault, revision, now_ms))
        self.tell()

    def _status(self, state: _State) -> ModelStatus:
        slot = state.slot
        canary, share = slot.canary or (None, 0.0)
        return ModelStatus(
            group=self._worker.group,
            instance=self._worker.instance,
            name=slot.name,
            revision=state.control.revision,
            serving=slot.serving,
            at=self._worker.now_ms(),
            shadow=slot.shadow,
            canary=canary,
            canary_share=share,
            refused=[Refusal(version, reason) for version, reason in state.refused.items()],
            trials=state.guard.comparisons(),
        )


def _roles(slot: Slot) -> dict[str, str]:
    roles = {"serving": slot.serving, "shadow": slot.shadow, "canary": slot.canary[0] if slot.canary else None}
    return {role: version for role, version in roles.items() if version is not None}


def _said(fault: Fault) -> dict[str, str]:
    return {"version": fault.version, "role": fault.role, "reason": fault.reason}
