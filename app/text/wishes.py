"""Of several candidates for a slot, the first one wanted: not the rejected, received or replaced."""

from collections.abc import Iterable

from app.text.lexicon import Hit
from app.text.words import group

_SLOTS = ("category", "brand", "color", "size")
_CUES = frozenset(
    (
        "reject",
        "rejected before",
        "removed",
        "change",
        "swap",
        "instead",
        "received",
        "owned",
        "want",
        "companion",
        "for",
    )
)
_FILLERS = frozenset((" ", *group("filler")))
_NO_COMPANION = frozenset(["的", "这", "那", "this", "these", "that", "those"])
_STOPS = frozenset("，,。.！!？?；;、")
_DROPPED, _RECEIVED, _NEUTRAL, _CHANGED = range(4)
_RECEIVED_REACH = 8
"""Tokens a word of receiving reaches: ``收到的是一件红色``, ``got the white one``."""


class Wishes:
    """Reads candidates and cues in their order; holds the best hit of each slot."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._best: dict[str, tuple[int, Hit]] = {}
        self._cue = ""
        self._cursor = 0
        self._seen: set[str] = set()
        self._last: Hit | None = None
        self._fresh = False

    def read(self, hits: Iterable[Hit]) -> dict[str, Hit]:
        """The wanted hit of each slot that has one."""
        for hit in hits:
            kind = hit[0]
            if kind in _CUES:
                self._read_cue(hit)
            elif kind in _SLOTS:
                self._read_candidate(hit)
            elif kind == "account":
                self._seen.add(kind)
            elif kind == "ignore":
                self._cue, self._last = "", None
            else:
                self._pass(hit)
        if "account" in self._seen:
            self._best.pop("category", None)
            self._best.pop("brand", None)
        return {slot: hit for slot, (rank, hit) in self._best.items() if rank > _DROPPED}

    def _read_cue(self, hit: Hit) -> None:
        kind, start, end, _ = hit
        if kind == "instead":
            self._promote(start)
        elif kind == "rejected before":
            self._demote(start, _DROPPED, 1)
        elif kind == "removed" and not self._tokens[start].isascii():
            self._demote(start, _RECEIVED, 6)
        self._cue = self._meaning(kind, start)
        self._cursor, self._fresh = end, True
        self._seen.add(kind)

    def _meaning(self, kind: str, start: int) -> str:
        seen = self._seen
        if kind == "for":
            if "swap" in seen:
                return "change"
            beside = self._last and self._last[0] == "category" and start - self._last[2] <= 1
            return "companion" if beside else "removed"
        if kind == "want":
            return "change" if seen & {"owned", "received", "reject"} else "want"
        if kind == "reject" and "received" in seen and self._tokens[start] in ("instead", "而"):
            return "change"
        return "" if kind in ("swap", "instead", "owned", "rejected before") else kind

    def _reaches(self, start: int) -> bool:
        between = self._tokens[self._cursor : start]
        if self._cue == "received":
            return len(between) <= _RECEIVED_REACH and not _STOPS.intersection(between)
        if self._cue == "companion" and not _NO_COMPANION.isdisjoint(between):
            return False
        return _FILLERS.issuperset(between)

    def _read_candidate(self, hit: Hit) -> None:
        kind, start, end, _ = hit
        if self._cue and not self._reaches(start):
            self._cue = ""
        self._offer(kind, hit, self._rank(kind))
        self._last = hit
        self._cursor, self._fresh = end, False

    def _rank(self, kind: str) -> int:
        cue = self._cue
        if cue == "companion":
            return _DROPPED
        if cue == "removed":
            return _RECEIVED if self._fresh or kind != "category" else _NEUTRAL
        if cue == "reject":
            return _DROPPED if kind != "category" or self._fresh else _NEUTRAL
        if kind == "category":
            return _NEUTRAL
        return _RECEIVED if cue == "received" else _CHANGED if cue == "change" else _NEUTRAL

    def _offer(self, slot: str, hit: Hit, rank: int) -> None:
        best = self._best.get(slot)
        if best is None or rank > best[0]:
            self._best[slot] = rank, hit

    def _pass(self, hit: Hit) -> None:
        """A product line, a word of use or a possessive hands its cue on."""
        if self._cue and not self._reaches(hit[1]):
            self._cue = ""
        self._cursor = hit[2]

    def _promote(self, position: int) -> None:
        """``the L instead``: what was just named replaces the rest."""
        if self._last and position - self._last[2] <= 6 and self._last[0] != "category":
            self._best[self._last[0]] = _CHANGED, self._last

    def _demote(self, position: int, rank: int, reach: int) -> None:
        """``红色除外``, ``裤子不要了``: what was just named is not wanted, or only if nothing else is."""
        if self._last and position - self._last[2] <= reach:
            best = self._best.get(self._last[0])
            if best and best[1] is self._last:
                self._best[self._last[0]] = rank, self._last
