"""``sluice models``: which versions are in force, and how that changes."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click
import msgspec

from app.cli.errors import UsageProblem
from app.cli.lazy import Lazy, LazyGroup
from app.cli.options import broker_option, json_option, open_settings, setting_option
from app.cli.output import report
from app.kafka.topics import TopicError
from app.models.manifest import MANIFEST_FILE, read_manifest
from app.models.repository import versions
from app.ops.settings import Settings

MORE = {
    "card": Lazy("app.cli.models_card:card", "Write the card of a version, its figures by group measured anew."),
    "copy": Lazy("app.cli.models_copy:copy", "Store a version as one of another model, which workers may then run."),
    "explain": Lazy("app.cli.models_explain:explain", "Say why recorded clicks are scored as they are."),
    "optimise": Lazy(
        "app.cli.models_optimise:optimise", "Make smaller and faster variants of a model, and measure them beside it."
    ),
}

_Result = TypeVar("_Result")
_WHO = "sluice models"

repository_option = setting_option("model_repository", "DIR")
wait_option = click.option(
    "--wait", "wait_s", type=click.FloatRange(0), default=20.0, show_default=True, help="s to wait for the workers"
)
unchecked_option = click.option(
    "--unchecked", is_flag=True, help="do not load the version here first; the workers do in any case"
)
off_option = click.option("--off", is_flag=True, help="end it; name the model alone")


class _Models(LazyGroup):
    lazy = MORE


@click.group(cls=_Models)
def models() -> None:
    """The versions of the models: which are in force, and how that changes, while events flow."""


@models.command(name="list")
@broker_option
@repository_option
@json_option
def list_(broker: str | None, model_repository: str | None, as_json: bool) -> None:
    """Show every model: the versions there are, what is in force, and what each worker runs."""
    from app.registry.commanding import in_force
    from app.registry.shown import listed, table

    settings = open_settings(broker=broker, model_repository=model_repository)
    found = _run(in_force(settings.broker))
    lines = listed(found, settings.model_repository, _now_ms())
    if as_json:
        report({"models": lines}, as_json)
    else:
        table(lines)


@models.command()
@click.argument("model", metavar="NAME/VERSION")
@repository_option
@json_option
def show(model: str, model_repository: str | None, as_json: bool) -> None:
    """Show the manifest of a version; its newest where none is named."""
    settings = open_settings(model_repository=model_repository)
    name, version = _parts(model)
    manifest = read_manifest(settings.model_repository / name / (version or _newest(settings, name)) / MANIFEST_FILE)
    shown = msgspec.to_builtins(msgspec.structs.replace(manifest, golden=None, reference=None))
    shown["golden"] = manifest.golden is not None
    shown["reference"] = manifest.reference is not None
    for tensors in ("inputs", "outputs", "data"):
        shown[tensors] = {str(number + 1): one for number, one in enumerate(shown[tensors])}
    report(shown, as_json)


@models.command()
@click.argument("model", metavar="NAME/VERSION")
@broker_option
@repository_option
@wait_option
@unchecked_option
@json_option
def promote(model: str, wait_s: float, unchecked: bool, as_json: bool, **flags: str | None) -> None:
    """Have a version serve, on all workers. If one refuses it, what was in force is again, and the exit code is 1."""
    from app.registry.control import promoted

    settings, (name, version) = open_settings(**flags), _named(model)
    _check(settings, name, version, unchecked)
    _command(settings, name, lambda now, runs: promoted(now, version, runs, _WHO, _now_ms()), wait_s, as_json)


@models.command()
@click.argument("name")
@broker_option
@wait_option
@json_option
def rollback(name: str, wait_s: float, as_json: bool, **flags: str | None) -> None:
    """Have the version serve that did before."""
    from app.registry.control import rolled_back

    _command(open_settings(**flags), name, lambda now, _: rolled_back(now, _WHO, _now_ms()), wait_s, as_json)


@models.command()
@click.argument("model", metavar="NAME/VERSION")
@off_option
@broker_option
@repository_option
@wait_option
@unchecked_option
@json_option
def shadow(model: str, off: bool, wait_s: float, unchecked: bool, as_json: bool, **flags: str | None) -> None:
    """Have a version score the same events as the one that serves, and publish nothing."""
    from app.registry.control import shadowed

    settings, (name, version) = open_settings(**flags), _tried(model, off)
    if version is not None:
        _check(settings, name, version, unchecked)
    _command(settings, name, lambda now, _: shadowed(now, version, _WHO, _now_ms()), wait_s, as_json)


@models.command()
@click.argument("model", metavar="NAME/VERSION")
@click.option("--share", type=float, default=0.05, show_default=True, help="of the users, 0 to 1")
@off_option
@broker_option
@repository_option
@wait_option
@unchecked_option
@json_option
def canary(
    model: str, share: float, off: bool, wait_s: float, unchecked: bool, as_json: bool, **flags: str | None
) -> None:
    """Have a version score a share of the users, always the same ones, in place of the one that serves."""
    from app.registry.control import canaried

    settings, (name, version) = open_settings(**flags), _tried(model, off)
    if version is not None:
        _check(settings, name, version, unchecked)
    _command(settings, name, lambda now, _: canaried(now, version, share, _WHO, _now_ms()), wait_s, as_json)


@models.command()
@click.option("--rate", type=click.FloatRange(1), default=1_000, show_default=True, help="events a second")
@click.option("--seconds", type=click.FloatRange(1), default=8, show_default=True, help="of each act")
@click.option("--workers", type=click.IntRange(1, 8), default=2, show_default=True, help="worker processes")
@repository_option
@json_option
def demo(rate: float, seconds: float, workers: int, model_repository: str | None, as_json: bool) -> None:
    """Promote, shadow, canary and roll back versions under load, and show what each consumer sees.

    Kafka and the workers are started for it and are gone afterwards; the shop is simulated, and so are the versions: a
    challenger, one with another encoder, one that gives no numbers, one that scores elsewhere, and a damaged file.
    """
    from app.demo.acts import shown
    from app.demo.screen import Screen
    from app.demo.versions import Plan, run
    from app.demo.workers import WorkerEnded
    from app.kafka.devbroker import DevelopmentBrokerError

    settings = open_settings(model_repository=model_repository)
    try:
        figures = run(Plan(rate, seconds, workers, settings), Screen())
    except DevelopmentBrokerError as problem:
        raise UsageProblem(str(problem)) from problem
    except WorkerEnded as problem:
        raise click.ClickException(str(problem)) from problem
    if as_json:
        report(figures, as_json)
    else:
        shown(figures)


def _command(settings: Settings, name: str, make: Callable[..., Any], wait_s: float, as_json: bool) -> None:
    from app.registry.commanding import command
    from app.registry.shown import outcome

    done = _run(command(settings.broker, name, make, _now_ms, wait_s))
    report(outcome(done), as_json)
    if done.withdrawn:
        refusals = "; ".join(done.refusals)
        raise click.ClickException(f"{refusals}; what was in force before is again")


def _check(settings: Settings, name: str, version: str, unchecked: bool) -> None:
    """Load the version here, so that a slip of the keyboard does not reach the workers.

    Raises:
        UsageProblem: it does not pass.
    """
    if unchecked:
        return
    from app.registry.loading import LOADERS, Refused

    known = [str(one) for one in versions(settings.model_repository, name)]
    if version not in known:
        has = f"it has {', '.join(known)}" if known else "it has none of that name"
        raise UsageProblem(f"there is no {name}/{version} in {settings.model_repository}: {has}")
    kind = read_manifest(settings.model_repository / name / version / MANIFEST_FILE).kind
    try:
        LOADERS[kind].checked(settings.model_repository, name, version, settings.provider)
    except Refused as refusal:
        raise UsageProblem(
            f"{name}/{version} does not pass here: {refusal} (--unchecked asks the workers alone)"
        ) from None


def _run(work: Coroutine[Any, Any, _Result]) -> _Result:
    # What aiokafka would log about a missing broker is in the one line that the command ends with.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(work)
    except TopicError as problem:
        raise UsageProblem(str(problem)) from problem


def _parts(model: str) -> tuple[str, str | None]:
    name, _, version = model.partition("/")
    return name, version or None


def _named(model: str) -> tuple[str, str]:
    name, version = _parts(model)
    if not name or version is None:
        raise UsageProblem(f"{model!r} names no version; say NAME/VERSION, as intent/2")
    return name, version


def _tried(model: str, off: bool) -> tuple[str, str | None]:
    return (_parts(model)[0], None) if off else _named(model)


def _newest(settings: Settings, name: str) -> str:
    found = versions(settings.model_repository, name)
    if not found:
        raise UsageProblem(f"there is no model {name} in {settings.model_repository}")
    return str(found[-1])


def _now_ms() -> int:
    from app.worker.assembly import now_ms

    return now_ms()
