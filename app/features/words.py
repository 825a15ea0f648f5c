"""A feature's value as people read it: the text of a reason."""

from app.features.clicks import Feature

_DURATIONS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def in_words(feature: Feature, value: float) -> str:
    """What the feature means, and its value: yes or no, a duration, or a number.

    The meaning says what is counted; a unit follows where it says more than that.
    """
    return f"{feature.meaning}: {value_in_words(feature.unit, value)}"


def value_in_words(unit: str, value: float) -> str:
    """A value of that unit, as its feature's meaning is followed by."""
    if unit == "0 or 1":
        return "yes" if value else "no"
    if unit == "s":
        return _duration(value)
    return f"{_number(value)} {unit}" if unit == "standard deviations" else _number(value)


def _duration(seconds: float) -> str:
    for length, unit in _DURATIONS:
        if seconds >= length:
            return f"{_number(round(seconds / length, 1))} {unit}"
    return f"{_number(seconds)} s"


def _number(value: float) -> str:
    text = f"{value:,.2f}".rstrip("0").rstrip(".")
    return "under 0.01" if text == "0" and value > 0 else text
