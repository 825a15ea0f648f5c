"""A model card as a page: Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019), for one version."""

from collections.abc import Iterable, Sequence
from typing import Final

from app.cards.groups import ALL, LEAST_OF_A_KIND, GroupFigure
from app.cards.statements import NEVER_INPUTS, STATEMENTS
from app.models.manifest import Manifest

CARD_FILE: Final = "card.md"

_FAR: Final = 2
_HEADER: Final = ("set", "question", "group", "rows", "users", "rate", "expected", "metric", "value", "95 %")


def card(manifest: Manifest, groups: Sequence[GroupFigure]) -> str:
    """The page of a version, with the figures of ``groups``; where there are none it says so."""
    said = STATEMENTS[manifest.kind]
    return "\n".join(
        [
            f"# Model card: {manifest.name}, version {manifest.version}",
            "",
            f"Made {manifest.created}; SHA-256 `{manifest.digest[:16]}…`. Part of Sluice, Apache-2.0.",
            "",
            *_section("What it is for", [said.purpose]),
            *_section("What it must not be used for", _points(said.misuse)),
            *_section("Data", _data(manifest)),
            *_section("Figures", ["In [report.md](report.md), beside a prior and plain learners on the same inputs."]),
            *_section("Figures by group", [*_groups(manifest, groups), "", *_points(said.missing)]),
            *_section("Fairness", [*_points(_inputs(manifest)), *_points(said.fairness)]),
            *_section("Limits", _points(said.limits)),
        ]
    )


def _section(title: str, lines: Iterable[str]) -> list[str]:
    return [f"## {title}", "", *lines, ""]


def _points(sentences: Iterable[str]) -> list[str]:
    return [f"- {sentence}" for sentence in sentences]


def _data(manifest: Manifest) -> list[str]:
    rows = [(one.file, f"{one.rows:,}", one.licence, f"`{one.sha256[:16]}…`") for one in manifest.data]
    split = _points(f"{name}: {times}" for name, times in manifest.split.items())
    return [*_table(("set", "rows", "licence", "SHA-256"), rows), "", *split]


def _groups(manifest: Manifest, groups: Sequence[GroupFigure]) -> list[str]:
    if not groups:
        version = f"{manifest.name}/{manifest.version}"
        return [f"Not measured yet: `sluice models card {version}` measures them where the data is."]
    return [
        "Of data that trained nothing. `rate` is how often the answer was yes, `expected` how often "
        "the model expected it; the interval is the middle 95 % of 200 draws of whole users; – where a group is too "
        "small for a figure.",
        "",
        *_table(_HEADER, [_figure(manifest, one) for one in groups]),
        "",
        *_worse(groups),
        *_misjudged(groups),
    ]


def _worse(groups: Sequence[GroupFigure]) -> list[str]:
    """The groups that the model serves worse than all of their set, by more than the draws vary."""
    of_all = {(one.set, one.question): one.value for one in groups if one.group == ALL}
    worse = []
    for one in groups:
        usual = of_all.get((one.set, one.question))
        if usual is not None and one.value is not None and one.high is not None and one.high < usual:
            worse.append(
                f"{one.set}, {one.question}, {one.group}: {one.metric} {one.value:.3f} instead of {usual:.3f}."
            )
    if not worse:
        return ["No group's interval lies below the figure of its whole set."]
    return ["Served worse than their whole set (the whole interval lies below its figure):", "", *_points(worse)]


def _misjudged(groups: Sequence[GroupFigure]) -> list[str]:
    """The groups of which the model expects the answer far more or far less often than it is given."""
    found = [
        f"{one.set}, {one.question}, {one.group}: {one.expected:.3f} expected, {one.rate:.3f} true."
        for one in groups
        if one.rate and one.expected and not 1 / _FAR < one.expected / one.rate < _FAR
        if one.rate * one.rows >= LEAST_OF_A_KIND
    ]
    return (
        ["", "Expected more than twice, or less than half, as often as it was so:", "", *_points(found)]
        if found
        else []
    )


def _figure(manifest: Manifest, one: GroupFigure) -> tuple[str, ...]:
    is_known = manifest.kind == "text" or one.set in manifest.split
    set_ = one.set if is_known else f"{one.set} (did not train)"
    numbers = (_number(one.rate), _number(one.expected), one.metric, _number(one.value))
    interval = "–" if one.low is None or one.high is None else f"{one.low:.3f} to {one.high:.3f}"
    return (set_, one.question, one.group, f"{one.rows:,}", f"{one.users:,}", *numbers, interval)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _inputs(manifest: Manifest) -> list[str]:
    if manifest.kind == "text":
        return ["The inputs are pieces of the text, hashed."]
    names = ", ".join(f"`{name}`" for name in manifest.features)
    return [f"The inputs are: {names}.", f"Never inputs: {', '.join(NEVER_INPUTS)}."]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]
