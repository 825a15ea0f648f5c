"""Options that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from app.cli.errors import UsageProblem
from app.ops.logs import configure_logs
from app.ops.settings import Settings, load_settings
from app.state.columns import Lifetimes

_Command = TypeVar("_Command", bound=Callable[..., Any])


def setting_option(name: str, metavar: str = "VALUE") -> Callable[[_Command], _Command]:
    """The flag of a setting, ``--max-idle-ms`` for ``max_idle_ms``, described by the setting itself.

    It arrives as the text given or None, for :func:`open_settings` to check.
    """
    field = Settings.model_fields[name]
    default = field.get_default(call_default_factory=True)
    # Resolved against file and environment later, so click must not fill in the default.
    text = f"{field.description}" + (f"  [default: {default}]" if default is not None else "")
    return click.option(f"--{name.replace('_', '-')}", name, metavar=metavar, default=None, help=text)


json_option = click.option("--json", "as_json", is_flag=True, help="print one JSON object on standard output")
broker_option = setting_option("broker", "HOST:PORT")


def open_settings(**flags: object) -> Settings:
    """Settings of this run, with logs set up as they say.

    Raises:
        UsageProblem: see :func:`app.ops.settings.load_settings`.
    """
    settings = load_settings(**flags)
    configure_logs(settings.log_level, settings.log_format)
    return settings


def lifetimes_of(settings: Settings) -> Lifetimes:
    """How long sessions and histories live, as ``settings`` say."""
    return Lifetimes(settings.session_gap_ms, settings.history_ttl_ms, settings.grace_ms)


def model_named(model: str | None, default: str) -> tuple[str, str | None]:
    """Name and version that a flag NAME/VERSION gives; the version is None for the newest.

    Raises:
        UsageProblem: it is not of that form.
    """
    name, slash, version = (model or default).partition("/")
    if (slash and not version.isdecimal()) or not name:
        raise UsageProblem(f"--model {model} is not NAME/VERSION, such as {default}/2")
    return name, version or None
