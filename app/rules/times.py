"""Times and durations as rulesets write them."""

import re
from datetime import UTC, datetime

_UNITS_MS = {"s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(\d{1,6})\s*(s|min|h|d)")


def instant(text: str) -> int:
    """An ISO 8601 date or time in ms; UTC where it names no zone, midnight where it names no hour.

    Raises:
        ValueError: it is none.
    """
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no date or time; write 2026-12-31 or 2026-12-31T18:00:00Z") from None
    return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)


def duration(text: str) -> int:
    """A duration like `30min` in ms.

    Raises:
        ValueError: it is none, or zero.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise ValueError(f"{text!r} is no duration; write a number with s, min, h or d, like 24h")
    return int(match[1]) * _UNITS_MS[match[2]]
