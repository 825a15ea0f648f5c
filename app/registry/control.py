"""What may be said of a model's versions: each command makes the next control record of the one before."""

import msgspec

from app.cli.errors import UsageProblem
from schemas.control import ModelControl

_DECODER = msgspec.json.Decoder(ModelControl)


class ControlUnreadable(ValueError):
    """A control record that is none: says of which key, and what is wrong with it."""


def decode(key: bytes, value: bytes) -> ModelControl:
    """The control record of ``key``.

    Raises:
        ControlUnreadable: it does not parse, or names another model than its key.
    """
    try:
        control = _DECODER.decode(value)
    except msgspec.MsgspecError as error:
        raise ControlUnreadable(f"the control record of {_shown(key)} is none ({error})") from error
    except UnicodeDecodeError as error:
        raise ControlUnreadable(f"the control record of {_shown(key)} is no UTF-8 ({error})") from error
    if control.name.encode() != key:
        raise ControlUnreadable(f"the control record of {_shown(key)} names {control.name!r}")
    return control


def nothing(name: str) -> ModelControl:
    """What is in force where nothing was ever said: the workers' settings."""
    return ModelControl(name, 0, 0, "the settings of the workers")


def promoted(control: ModelControl, version: str, replaced: str | None, reason: str, now_ms: int) -> ModelControl:
    """``version`` serves; a trial of it is over.

    Args:
        control: the record before.
        version: to serve.
        replaced: what the workers run where the record before does not say.
        reason: who wants it.
        now_ms: the time.

    Raises:
        UsageProblem: it serves already.
    """
    if control.serving == version:
        raise UsageProblem(f"{control.name}/{version} serves already")
    previous = control.serving or replaced
    next_ = _next(control, reason, now_ms, serving=version, previous=previous if previous != version else None)
    if next_.shadow == version:
        next_ = msgspec.structs.replace(next_, shadow=None)
    if next_.canary == version:
        next_ = msgspec.structs.replace(next_, canary=None, canary_share=0.0)
    return next_


def rolled_back(control: ModelControl, reason: str, now_ms: int) -> ModelControl:
    """What served before serves again.

    Raises:
        UsageProblem: no earlier version is known.
    """
    if control.previous is None:
        raise UsageProblem(
            f"no version of {control.name} is known that served before; "
            f"name one: `sluice models promote {control.name}/VERSION`"
        )
    return _next(control, reason, now_ms, serving=control.previous, previous=None)


def shadowed(control: ModelControl, version: str | None, reason: str, now_ms: int) -> ModelControl:
    """``version`` scores unseen; None ends the shadow.

    Raises:
        UsageProblem: it serves, or there is no shadow to end.
    """
    _require_other(control, version)
    if version == control.shadow:
        raise UsageProblem(f"{control.name} has {'no shadow' if version is None else f'the shadow {version} already'}")
    return _next(control, reason, now_ms, shadow=version)


def canaried(control: ModelControl, version: str | None, share: float, reason: str, now_ms: int) -> ModelControl:
    """``version`` scores a ``share`` of the users; None ends the canary.

    Raises:
        UsageProblem: it serves, the share is not between 0 and 1, or there is no canary to end.
    """
    _require_other(control, version)
    if version is None:
        if control.canary is None:
            raise UsageProblem(f"{control.name} has no canary")
        return _next(control, reason, now_ms, canary=None, canary_share=0.0)
    if not 0 < share < 1:
        raise UsageProblem(f"a canary's share lies between 0 and 1, and {share:g} does not; to serve all, promote it")
    return _next(control, reason, now_ms, canary=version, canary_share=share)


def _require_other(control: ModelControl, version: str | None) -> None:
    if version is not None and version == control.serving:
        raise UsageProblem(f"{control.name}/{version} serves; nothing is to be tried of it")


def _next(control: ModelControl, reason: str, now_ms: int, **changes: object) -> ModelControl:
    revision = control.revision + 1
    return msgspec.structs.replace(control, revision=revision, reason=reason, changed_at=now_ms, **changes)


def _shown(key: bytes) -> str:
    return repr(key[:80].decode(errors="replace"))
