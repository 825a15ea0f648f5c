"""``sluice rules``: check a ruleset, and what it may name."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click
import msgspec

from app.cli.errors import UsageProblem
from app.cli.options import broker_option, json_option, open_settings, setting_option
from app.cli.output import report
from app.replay.adapters.registry import ADAPTERS
from app.rules.book import ReadyPolicy, RuleBook
from app.rules.catalogue import CATALOGUE, Field
from app.rules.compiling import compile_ruleset, types_of
from app.rules.problems import Problem, RulesetError
from app.rules.reading import lines_of, read_ruleset
from app.rules.sessions import SESSION_CATALOGUE
from schemas.control import RulesetStatus
from schemas.events import MAX_ID, Label
from schemas.ruleset import Rule
from schemas.topics import LABELS, RULESET_STATUS, RULESETS


@click.group()
def rules() -> None:
    """Check rulesets and put them in force."""


@rules.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def check(file: Path, as_json: bool) -> None:
    """Check the ruleset in FILE: every rule with its types, or everything that is wrong, each with its column.

    Exit code 2 if anything is.
    """
    book = opened(file)
    report(_checked(book), as_json)


@rules.command()
@click.option("--on", type=click.Choice(["order", "session"]), default="order", show_default=True, help="of such rules")
@json_option
def fields(on: str, as_json: bool) -> None:
    """List what rules may name: fields with their types, units and meanings, one a line."""
    known = SESSION_CATALOGUE if on == "session" else CATALOGUE
    if as_json:
        report({name: _field(field) for name, field in known.fields.items()}, as_json)
        return
    width = max(map(len, known.fields))
    for name, field in known.fields.items():
        click.echo(f"{name:{width}}  {field.type}{f', {field.unit}' if field.unit else ''}: {field.meaning}")


def _field(field: Field) -> dict[str, str]:
    """All that the catalogue says of a field."""
    return {
        "type": str(field.type),
        "unit": field.unit,
        "window": field.window,
        "source": field.source,
        "owner": field.owner,
        "meaning": field.meaning,
    }


@rules.command()
@click.argument("ruleset", type=click.Path(path_type=Path))
@click.argument("files", metavar="[FILE]…", nargs=-1, type=click.Path(path_type=Path))
@click.option("--as", "kind", type=click.Choice(list(ADAPTERS)), default="native", show_default=True, help="data set")
@click.option("--against", type=click.Path(path_type=Path), help="another ruleset, to tell what would change")
@click.option("--from-topics", is_flag=True, help="the orders of the broker's input topics, not FILEs")
@click.option("--shop", "shop_events", type=click.IntRange(1_000), help="a simulated shop of so many events, not FILEs")
@click.option("--seed", type=int, default=1, show_default=True, help="of the shop")
@broker_option
@setting_option("model_repository", "DIR")
@json_option
def backtest(
    ruleset: Path,
    files: Sequence[Path],
    kind: str,
    against: Path | None,
    from_topics: bool,
    shop_events: int | None,
    seed: int,
    as_json: bool,
    **flags: object,
) -> None:
    """Say what RULESET would have done with the orders of recorded FILEs, and how right it would have been.

    The orders go through the very step of a worker, with the models in force. An order that no label speaks of counts
    as good. With --shop the orders are those of a simulated shop, whose every fraud is known, by pattern.
    """
    if [bool(files), from_topics, bool(shop_events)].count(True) != 1 or (shop_events and against):
        raise UsageProblem("name recorded files, or --from-topics, or --shop EVENTS, which goes without --against")
    from app.backtest.run import backtested, backtested_on_topics
    from app.backtest.shop import backtested_on_shop
    from app.training.progress import bars

    settings = open_settings(**flags)
    book, other = opened(ruleset), opened(against) if against else None
    with bars() as reporter:
        if shop_events:
            found = backtested_on_shop(settings, book, shop_events, seed, reporter)
        elif from_topics:
            found = backtested_on_topics(settings, book, other, reporter)
        else:
            found = backtested(settings, book, other, files, kind, reporter)
    report(found, as_json)


@rules.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--reason", default="", help="why, for those who look later")
@broker_option
@json_option
def put(file: Path, reason: str, broker: str | None, as_json: bool) -> None:
    """Put the ruleset in FILE in force on every worker, from each one's next step on."""
    settings = open_settings(broker=broker)
    book = opened(file)
    from app.rules.records import records

    made = records(book.ruleset, _now_ms(), reason)
    asyncio.run(_replace(settings.broker, made))
    report({"ruleset": book.version, "rules": len(book.ruleset.rules), "records": len(made)}, as_json)


@rules.command()
@broker_option
@json_option
def status(broker: str | None, as_json: bool) -> None:
    """Say which ruleset each worker goes by, and what it refused."""
    from app.kafka.compacted import read

    settings = open_settings(broker=broker)
    decode = msgspec.json.Decoder(RulesetStatus).decode
    with _topics():
        values = asyncio.run(read(settings.broker, RULESET_STATUS))
    found = {key.decode(): msgspec.to_builtins(decode(value)) for key, value in sorted(values.items())}
    report(found, as_json)


@rules.command()
@click.argument("user")
@click.option("--by", default="command line", show_default=True, help="who lifts it, for those who look later")
@broker_option
@json_option
def lift(user: str, by: str, broker: str | None, as_json: bool) -> None:
    """Lift the freeze of USER's account: send the label that does."""
    from app.replay.recorded import RecordedBatch
    from app.replay.send import send

    settings = open_settings(broker=broker)
    now = _now_ms()
    label = Label(f"lift:{user}:{now}"[:MAX_ID], now, "legitimate", user_id=user, source=by[:MAX_ID])
    batch = RecordedBatch([LABELS], [user.encode()], [now], [msgspec.json.encode(label)])
    asyncio.run(send([batch], settings.broker))
    report({"user": user, "label": label.event_id}, as_json)


async def _replace(broker: str, made: dict[bytes, bytes]) -> None:
    """Write the records of a ruleset, and take those of the one before out."""
    from app.kafka.compacted import read, write

    with _topics():
        stale = (await read(broker, RULESETS)).keys() - made.keys()
        await write(broker, RULESETS, {**made, **dict.fromkeys(stale)})


@contextmanager
def _topics() -> Iterator[None]:
    """Topics that are not there are a matter of configuration."""
    from app.kafka.topics import TopicError

    try:
        yield
    except TopicError as error:
        raise UsageProblem(str(error)) from None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def opened(file: Path) -> RuleBook:
    """The rule book of a file; everything that is wrong with it goes to standard error.

    Raises:
        UsageProblem: something is.
    """
    try:
        return compile_ruleset(read_ruleset(file))
    except RulesetError as error:
        for problem in _placed(error.problems, file):
            click.echo(f"{file}, {problem}" if problem.line else f"{file}: {problem}", err=True)
        count = len(error.problems)
        raise UsageProblem(f"{file} has {count} problem{'s' if count > 1 else ''}; nothing was changed") from None


def _placed(problems: list[Problem], file: Path) -> list[Problem]:
    """The problems with the lines where what they are about begins."""
    if all(problem.line or "[" not in problem.place for problem in problems):
        return problems
    lines = lines_of(file.read_text(encoding="utf-8"), [problem.place for problem in problems])
    return [replace(problem, line=line) for problem, line in zip(problems, lines, strict=True)]


def _checked(book: RuleBook) -> dict[str, object]:
    """What a ruleset holds: each rule with the types of what it names."""
    ruleset = book.ruleset
    return {
        "ruleset": book.version,
        "policies": {policy.policy.id: _steps(policy) for policy in book.policies},
        "lists": {each.name: f"{each.kind}, {len(each.entries):,} entries" for each in ruleset.lists},
        "rules": {rule.id: _told(rule, book) for rule in ruleset.rules},
    }


def _steps(ready: ReadyPolicy) -> str:
    return ", ".join(f"{action} from {least:g}" for least, action in reversed(ready.steps)) or "allow"


def _told(rule: Rule, book: RuleBook) -> dict[str, object]:
    known = types_of(rule)
    types = {name: str(known[name]) for name in book.fields_of(rule)}
    return {
        "mode": rule.mode,
        "on": rule.on,
        "score": rule.score,
        "action": rule.action or "none",
        "when": " ".join(rule.when.split()),
        "types": types,
    }
