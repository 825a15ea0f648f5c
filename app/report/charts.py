"""Tables and charts as HTML: nothing is loaded from anywhere."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

NONE: Final = '<p class="note">none</p>'

_WIDTH, _HEIGHT, _TOP, _BASE = 720, 170, 16, 20
_LABELS: Final = 6
_LETTER: Final = 6  # its width, at 10 px


@dataclass(frozen=True, slots=True)
class Share:
    """A share, shown in percent; None shows that there is none."""

    value: float | None

    def __str__(self) -> str:
        return "–" if self.value is None else f"{self.value:.1%}"


def table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table, its numbers to the right; `NONE` without rows."""
    cells = list(rows)
    if not cells:
        return NONE
    numbers = [all(_is_number(row[place]) for row in cells) for place in range(len(names))]
    head = "".join(f"<th{_class(number)}>{escape(name)}</th>" for name, number in zip(names, numbers, strict=True))
    body = "".join(f"<tr>{_row(row, numbers)}</tr>" for row in cells)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def bars(values: Sequence[tuple[str, int, int]], of_them: str) -> str:
    """A bar chart; of each bar its label, its height, and how much of it is red, which is ``of_them``."""
    most = max((value for _, value, _ in values), default=0)
    if not most:
        return NONE
    width = _WIDTH / len(values)
    drawn = [_bar(place * width, width, value, most, of_them) for place, value in enumerate(values)]
    every = max(1, -(-len(values) // _LABELS))
    labels = [_label(place * width, values[place][0]) for place in range(0, len(values), every)]
    grid = "".join(_line(share, most) for share in (0.5, 1))
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT + _BASE}"'
    return f'<svg {box} role="img">{grid}{"".join(drawn)}{"".join(labels)}</svg>'


def _row(row: Sequence[object], numbers: Sequence[bool]) -> str:
    return "".join(f"<td{_class(number)}>{_cell(value)}</td>" for value, number in zip(row, numbers, strict=True))


def _class(is_number: bool) -> str:
    return ' class="n"' if is_number else ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Share) or value == "–"


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.2f}" if isinstance(value, float) else escape(str(value))


def _line(share: float, most: int) -> str:
    """A line across at a share of the height, with what it stands for."""
    y = _HEIGHT - share * (_HEIGHT - _TOP)
    value = most * share
    text = f'<text x="0" y="{y - 3:.1f}">{value:,.0f}</text>' if value == int(value) else ""
    return f'<line x1="0" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>{text}'


def _label(left: float, text: str) -> str:
    """A label below a bar, within the chart."""
    return f'<text x="{min(left, _WIDTH - _LETTER * len(text)):.1f}" y="{_HEIGHT + 14}">{escape(text)}</text>'


def _bar(left: float, width: float, value: tuple[str, int, int], most: int, of_them: str) -> str:
    label, count, red = value
    title = f"<title>{escape(label)}: {count:,}{f', {red:,} {escape(of_them)}' if red else ''}</title>"
    return f"<g>{title}{_rectangle('bar', left, width, count / most)}{_rectangle('hot', left, width, red / most)}</g>"


def _rectangle(kind: str, left: float, width: float, share: float) -> str:
    if not share:
        return ""
    height = max(share * (_HEIGHT - _TOP), 1)
    place = f'x="{left:.1f}" y="{_HEIGHT - height:.1f}" width="{max(width - 1, 0.5):.1f}" height="{height:.1f}"'
    return f'<rect class="{kind}" {place}/>'
