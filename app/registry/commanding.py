"""Tell all workers something about a model, and hear what each made of it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import msgspec

from app.kafka.compacted import Values, follow, read, write
from app.registry.control import ControlUnreadable, decode, nothing
from schemas.control import ModelControl, ModelStatus
from schemas.topics import MODEL_CONTROL, MODEL_STATUS

SILENT_MS = 180_000
"""A worker that has not told its status for so long is taken to be gone; one that runs tells it every minute."""

_DECODER = msgspec.json.Decoder(ModelStatus)

Command = Callable[[ModelControl, str | None], ModelControl]
"""Makes the next record of the one in force and of the version that workers run now (None: there are none)."""


@dataclass(frozen=True, slots=True)
class InForce:
    """What the topics say: the control record of each model that has one, and what each worker runs."""

    controls: Mapping[str, ModelControl]
    statuses: Sequence[ModelStatus]

    def control(self, name: str) -> ModelControl:
        """The record of a model."""
        return self.controls.get(name) or nothing(name)

    def running(self, name: str, now_ms: int) -> list[ModelStatus]:
        """The workers that run a model now."""
        return [one for one in self.statuses if one.name == name and now_ms - one.at < SILENT_MS]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command: the record in force, the workers' answers, and those that gave none in time.

    ``withdrawn`` says that a worker refused a version, and that what was in force before is again.
    """

    control: ModelControl
    answers: Sequence[ModelStatus]
    silent: Sequence[str]
    withdrawn: bool

    @property
    def refusals(self) -> list[str]:
        """Who refused which version, and why."""
        return [
            f"{one.group}/{one.instance} refused {one.name}/{refusal.version}: {refusal.reason}"
            for one in self.answers
            for refusal in one.refused
        ]


async def in_force(broker: str) -> InForce:
    """What the topics say now; records that do not parse are left out.

    Raises:
        TopicError: no broker answers, or the topics are not there.
    """
    controls, statuses = await read(broker, MODEL_CONTROL), await read(broker, MODEL_STATUS)
    known: dict[str, ModelControl] = {}
    for key, value in controls.items():
        try:
            known[key.decode(errors="replace")] = decode(key, value)
        except ControlUnreadable:
            continue
    return InForce(known, _statuses(statuses))


async def command(broker: str, name: str, make: Command, now_ms: Callable[[], int], wait_s: float) -> Outcome:
    """Put the record that ``make`` makes in force, and wait for the workers that run the model.

    Args:
        broker: HOST:PORT.
        name: of the model.
        make: the next record.
        now_ms: the time, ms since the epoch.
        wait_s: for answers; 0 does not wait.

    Raises:
        UsageProblem: ``make`` does not allow it.
        TopicError: no broker answers, or the topics are not there.
    """
    found = await in_force(broker)
    before, running = found.control(name), found.running(name, now_ms())
    versions = {one.serving for one in running}
    control = make(before, versions.pop() if len(versions) == 1 else None)
    await _put(broker, control)
    answers = await _answers(broker, control, {_who(one) for one in running}, wait_s) if wait_s else []
    silent = sorted({_who(one) for one in running} - {_who(one) for one in answers}) if wait_s else []
    named = _named(control) - _named(before)
    refused = any(refusal.version in named for one in answers for refusal in one.refused)
    if refused:
        reason = f"withdrawn: a worker refused what revision {control.revision} names"
        revision = control.revision + 1
        await _put(broker, msgspec.structs.replace(before, revision=revision, reason=reason, changed_at=now_ms()))
    return Outcome(control, answers, silent, refused)


async def _put(broker: str, control: ModelControl) -> None:
    await write(broker, MODEL_CONTROL, {control.name.encode(): msgspec.json.encode(control)})


async def _answers(broker: str, control: ModelControl, wanted: set[str], wait_s: float) -> list[ModelStatus]:
    """The statuses of ``wanted`` that go by ``control``; those that come within the time."""
    found: dict[str, ModelStatus] = {}
    try:
        async with asyncio.timeout(wait_s), aclosing(follow(broker, MODEL_STATUS)) as changes:
            while wanted - found.keys():
                change = await anext(changes)
                for one in _statuses({key: value for key, value in change.items() if value is not None}):
                    if one.name == control.name and one.revision >= control.revision:
                        found[_who(one)] = one
    except TimeoutError:
        pass  # who has not answered is told by name
    return list(found.values())


def _named(control: ModelControl) -> set[str | None]:
    return {control.serving, control.shadow, control.canary}


def _who(status: ModelStatus) -> str:
    return f"{status.group}/{status.instance}"


def _statuses(values: Values) -> list[ModelStatus]:
    found = []
    for value in values.values():
        try:
            found.append(_DECODER.decode(value))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
    return sorted(found, key=lambda one: (one.name, _who(one)))
