"""A challenger that exists already, held against the champion on what the topics have got since it was trained."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec

from app.cli.errors import UsageProblem
from app.learning.challenge import Match, intent_match, risk_match
from app.learning.reading import Gathered
from app.learning.sets import Settling, click_set, order_set
from app.learning.topics import models_with, read_back
from app.models.manifest import MANIFEST_FILE, Kind, read_manifest
from app.models.repository import versions
from app.ops.settings import Settings
from app.step import Models
from app.training.progress import Reporter
from app.training.storing import Trained

UNTIL = "until"
"""Key in a manifest's split: the event time that the topics had reached when the challenger was made, ISO 8601."""

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Rematch:
    """Which ``challenger`` of a ``kind`` is compared with which ``champion`` (None: the newest version but it), on what
    came from ``since`` on (None: since it was trained)."""

    kind: Kind
    challenger: str
    champion: str | None
    since: datetime | None
    label_days: float


def until(trained: Trained, ms: int) -> Trained:
    """``trained``, with the event time that its data reached in its manifest."""
    when = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    split = trained.manifest.split | {UNTIL: when}
    return replace(trained, manifest=msgspec.structs.replace(trained.manifest, split=split))


def rematched(wanted: Rematch, settings: Settings, reporter: Reporter) -> dict[str, object]:
    """The report of a comparison on later data.

    Raises:
        UsageProblem: no broker answers, a version is not there, or nothing is settled that came later.
    """
    since = wanted.since or _trained_until(wanted, settings)
    champion = wanted.champion or _newest_but(wanted, settings)
    models, challengers = (models_with(settings, wanted.kind, version) for version in (champion, wanted.challenger))
    gathered, _ = read_back(models, settings, reporter)
    settling = Settling(settings.session_gap_ms, round(wanted.label_days * _DAY_MS))
    match = later_match(wanted.kind, gathered, models, challengers, since, settings.broker, settling)
    names = {"model": f"{wanted.kind}/{wanted.challenger}", "champion": f"{wanted.kind}/{champion}"}
    return names | {"since": since.isoformat()} | match.told()


def later_match(
    kind: Kind,
    gathered: Gathered,
    champions: Models,
    challengers: Models,
    since: datetime,
    broker: str,
    settling: Settling,
) -> Match:
    """The models of ``kind`` on what is settled of the sessions or orders that began at ``since`` or later.

    Raises:
        UsageProblem: there is nothing, or it all came out alike.
    """
    begin = round(since.timestamp() * 1000)
    if kind == "intent":
        clicks = click_set(gathered, broker, settling)
        measured = (clicks.part >= 0) & (clicks.rows.started_at >= begin)
        return intent_match(clicks, measured, champions.intent, challengers.intent)
    orders = order_set(gathered, broker, settling)
    measured = (orders.part >= 0) & (orders.rows.ts >= begin)
    return risk_match(gathered, orders, measured, champions.risk, challengers.risk)


def _trained_until(wanted: Rematch, settings: Settings) -> datetime:
    path = settings.model_repository / wanted.kind / wanted.challenger / MANIFEST_FILE
    told = read_manifest(path).split.get(UNTIL)
    if told is None:
        raise UsageProblem(
            f"{path} does not say until when its data went, as `sluice train {wanted.kind} --from-topics` writes it; "
            "say --since TIME"
        )
    return datetime.fromisoformat(told)


def _newest_but(wanted: Rematch, settings: Settings) -> str:
    others = [one for one in versions(settings.model_repository, wanted.kind) if str(one) != wanted.challenger]
    if not others:
        raise UsageProblem(f"{wanted.kind} has no other version than {wanted.challenger}; name one with --champion")
    return str(others[-1])
