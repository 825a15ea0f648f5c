"""Alerts for one reason about one subject: they are one group in a window, told again when it has grown tenfold."""

import msgspec


class AlertGroup(msgspec.Struct, array_like=True):
    """Of one ``reason`` (and subject, where many share a list), a hash: the end of the window and the first order's
    time (ms), and how many orders it was of at most."""

    reason: int
    until: int
    first: int
    count: int

    def grows(self, count: int) -> bool:
        """Note that it is of ``count`` orders by now; tells whether it is to be told: at the first, and when the count
        has more digits than ever before."""
        is_told = _digits(count) > _digits(self.count)
        self.count = max(self.count, count)
        return is_told


def open_group(
    groups: list[AlertGroup], reason: int, ts: int, window_ms: int, limit: int, most: int
) -> AlertGroup | None:
    """The group that an alert at ``ts`` (ms) belongs to; a new one in ``groups`` where none is open.

    A group whose window ends after ``limit`` was that of a misdated order, and takes nothing in. None where there are
    as many as may be.
    """
    for each in groups:
        if each.reason == reason and ts < each.until <= limit:
            return each
    groups[:] = [each for each in groups if ts < each.until <= limit]
    if len(groups) >= most:
        return None
    groups.append(AlertGroup(reason, ts - ts % window_ms + window_ms, ts, 0))
    return groups[-1]


def _digits(count: int) -> int:
    return len(str(count)) if count else 0
