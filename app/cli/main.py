"""The command ``sluice``: finds the subcommand and turns its end into an exit code."""

import sys
from collections.abc import Sequence

import click

from app.cli.errors import UsageProblem
from app.cli.lazy import Lazy, LazyGroup

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130

COMMANDS = {
    "demo": Lazy("app.cli.demo:demo", "Run the whole thing on this machine and sum it up."),
    "kafka": Lazy("app.cli.kafka:kafka", "Start, stop or wipe a real Kafka for development."),
    "topics": Lazy("app.cli.topics:topics", "Create the topics."),
    "worker": Lazy("agents.worker:worker", "Process events."),
    "replay": Lazy("app.cli.replay:replay", "Send recorded events, or score them without a broker."),
    "torture": Lazy("app.cli.torture:torture", "Kill workers and broker under load, and check the outcome."),
    "bench": Lazy("app.cli.bench:bench", "Measure throughput and latency."),
    "rules": Lazy("app.cli.rules:rules", "Check rulesets, try them on history, put them in force."),
    "report": Lazy("app.cli.report:report", "Write a page about what was decided, and how right it was."),
    "train": Lazy("app.cli.train:train", "Train the models."),
    "evaluate": Lazy("app.cli.evaluate:evaluate", "Measure the models on data that did not train them."),
    "models": Lazy("app.cli.models:models", "Show, promote, roll back and try versions of the models."),
    "state": Lazy("app.cli.state:state", "Look into a worker's state."),
    "schema": Lazy("app.cli.schema:schema", "Export the contracts."),
}


class _Commands(LazyGroup):
    lazy = COMMANDS


def _show_versions(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from app.ops.versions import versions

    for package, version in versions().items():
        click.echo(f"{package} {version}")
    ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_versions,
    help="Show the versions of Sluice and what it runs on.",
)
def sluice() -> None:
    """Clicks and orders in, intent and risk out, on Kafka."""
    # Structlog prints to standard output until it is told otherwise, and that belongs to the report.
    from app.ops.logs import configure_logs

    configure_logs()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    try:
        ended = sluice.main(
            args=None if arguments is None else list(arguments), prog_name="sluice", standalone_mode=False
        )
    except click.Abort:
        click.echo("sluice: interrupted", err=True)
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(f"{error.format_message()}\n\nsluice: name a command", err=True)
        return WRONG_USAGE
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "sluice"
        click.echo(f"sluice: {_one_line(error.format_message())} (see {path} --help)", err=True)
        return WRONG_USAGE
    except UsageProblem as problem:
        click.echo(f"sluice: {_one_line(str(problem))}", err=True)
        return WRONG_USAGE
    except click.ClickException as error:
        click.echo(f"sluice: {_one_line(error.format_message())}", err=True)
        return error.exit_code
    except Exception:
        _log_failure()
        return FAILED
    # click hands back what the command returned, or the code of ctx.exit(code).
    return ended if isinstance(ended, int) else DONE


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _log_failure() -> None:
    import structlog

    from app.ops.logs import configure_logs

    if not structlog.is_configured():
        configure_logs()
    structlog.get_logger("sluice").exception("the command failed")


if __name__ == "__main__":
    sys.exit(main())
