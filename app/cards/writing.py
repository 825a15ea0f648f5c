"""A version's card written beside it, its groups measured anew on whatever data is at hand."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from app.cards.card import CARD_FILE, card
from app.cards.clicks import SETS, click_groups
from app.cards.groups import GroupFigure
from app.cards.orders import every_order_group
from app.cards.payments import NAMES, payment_groups
from app.cards.texts import text_groups
from app.models.manifest import MANIFEST_FILE, ScoreMapping, read_manifest
from app.models.repository import read_model
from app.models.runtime import IntentModel, RiskModel, load_intent, load_risk
from app.models.session import open_session
from app.models.text import read_text_model
from app.state.columns import Lifetimes
from app.training.progress import Reporter
from app.training.storing import MEASURED_FILE

_UNMAPPED = ScoreMapping(p_elevated=0.5, p_highest=0.75)  # groups are measured by probabilities alone


def write_card(
    repository: Path, name: str, version: str, data: Path, lifetimes: Lifetimes, reporter: Reporter | None
) -> tuple[Path, list[GroupFigure]]:
    """Write the card of ``name``/``version``; the path, and the figures in it.

    Args:
        repository: the folder of models.
        name: of the model.
        version: of the model.
        data: folder of the public sets; those that are not there are left out.
        lifetimes: of sessions and histories.
        reporter: is told how far it got; None leaves the groups unmeasured.

    Raises:
        UsageProblem: there is no such version, or it does not fit this build.
    """
    folder = repository / name / version
    manifest = read_manifest(folder / MANIFEST_FILE)
    measure: dict[str, Callable[[Reporter], list[GroupFigure]]] = {
        "intent": partial(_of_clicks, repository, name, version, data, lifetimes),
        "risk": partial(_of_orders, repository, name, version, data, lifetimes),
        "text": lambda _: list(text_groups(read_text_model(repository, name, version))),
    }
    groups = [] if reporter is None else measure[manifest.kind](reporter)
    path = folder / CARD_FILE
    path.write_text(card(manifest, groups), encoding="utf-8")
    return path, groups


def _of_clicks(
    repository: Path, name: str, version: str, data: Path, lifetimes: Lifetimes, reporter: Reporter
) -> list[GroupFigure]:
    model = load_intent(repository, name, version)
    earlier = repository / name / version / MEASURED_FILE
    if earlier.is_file():
        model = IntentModel(earlier.read_bytes(), name, version, model.encoder)
    found: list[GroupFigure] = []
    for source in SETS:
        found += click_groups(source, data, lifetimes, model, reporter.stage(f"replay {source.name}"))
    return found


def _of_orders(
    repository: Path, name: str, version: str, data: Path, lifetimes: Lifetimes, reporter: Reporter
) -> list[GroupFigure]:
    if read_manifest(repository / name / version / MANIFEST_FILE).features == NAMES:
        stored = read_model(repository, "risk", name, version, NAMES)
        payments = RiskModel(open_session(stored, "cpu"), name, version, _UNMAPPED)
        return payment_groups(data, payments, reporter.stage("stream payments_handbook"))
    model = load_risk(repository, name, version)
    return list(every_order_group(data, lifetimes, model, reporter.stage("replay orders")))
