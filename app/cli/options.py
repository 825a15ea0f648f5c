"""Options that several commands share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
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


def label_days_option(when: str = "") -> Callable[[_Command], _Command]:
    """How long a label is waited for; its help begins with ``when`` it counts."""
    return click.option(
        "--label-days",
        type=click.FloatRange(0),
        default=7.0,
        show_default=True,
        help=f"{when}days after which an order without a label is good",
    )


def public_sets_option(flag: str, more: str = "") -> Callable[[_Command], _Command]:
    """The ``flag`` that names the folder of the public data sets; its help goes on with ``more``."""
    return click.option(
        flag,
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("../shared/data"),
        show_default=True,
        help=f"folder of the public data sets{more}",
    )


@contextmanager
def training_libraries() -> Iterator[None]:
    """Around imports of what learns and measures, which a worker does without.

    Raises:
        UsageProblem: its libraries are not installed.
    """
    try:
        yield
    except ImportError as error:
        raise UsageProblem(
            f"this needs more libraries ({error}); install the extra `train`: pip install 'sluice[train]'"
        ) from error


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
