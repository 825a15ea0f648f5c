"""In which order velocities are computed, and where their windows lie: settled once, when it is known what is wanted.

The orders that a step meets at entities of all kinds are computed together. A velocity concerns those of its kind, so
what is computed of several velocities is one flat run of numbers: first those of the first velocity, then the next.
"""

from collections.abc import Hashable, Sequence

import numpy as np

from app.features.scan import ragged
from app.velocity import history
from app.velocity.definitions import Velocity
from app.velocity.entities import ENTITIES, ENTITY_INDEX
from app.velocity.records import Ints
from app.velocity.windows import Group, Spans, Windows


class Plan:
    """What is to be computed at the same kinds of entities.

    ``columns`` [w] say which of all velocities each one of the plan is, in the plan's order; ``looks_at`` [kinds] at
    which kinds of entities they are computed.

    Args:
        velocities: all that are computed.
        runs: which of them these are, those together that are computed together.
    """

    def __init__(self, velocities: Sequence[Velocity], runs: Sequence[Sequence[int]]) -> None:
        self.columns = np.array([place for run in runs for place in run], np.int64)
        found = [velocities[place] for place in self.columns.tolist()]
        firsts = np.cumsum([0, *map(len, runs)]).tolist()
        self.groups = [
            Group(tuple(found[first : first + len(run)]), first) for first, run in zip(firsts, runs, strict=False)
        ]
        self._kind = np.array([ENTITY_INDEX[velocity.entity] for velocity in found], np.int64)
        self.looks_at = np.isin(np.arange(len(ENTITIES)), self._kind)
        reaches: dict[tuple[int, int], int] = {}  # kind of entity and ms before the order, by number
        self._starts = _numbered(reaches, self._kind, [each.delay_ms + each.window_ms for each in found])
        delays = np.array([velocity.delay_ms for velocity in found], np.int64)
        self._is_late = delays > 0
        self._stops = np.zeros(len(found), np.int64)
        self._stops[self._is_late] = _numbered(reaches, self._kind[self._is_late], delays[self._is_late].tolist())
        self._reach_kind = np.array([kind for kind, _ in reaches], np.int64)
        self._reach_ms = np.array([ms for _, ms in reaches], np.int64)

    def spans(self, windows: Windows) -> Spans:
        """Where all windows lie, in the order of the plan."""
        firsts, counts = windows.order_bounds[:-1], np.diff(windows.order_bounds)
        lengths = counts[self._reach_kind]
        reaching = windows.after(ragged(firsts[self._reach_kind], lengths), self._reach_ms.repeat(lengths))
        positions = np.concatenate((reaching, windows.beyond))
        begins = lengths.cumsum() - lengths
        own, first = counts[self._kind], firsts[self._kind]
        stops = np.where(self._is_late, begins[self._stops], len(reaching) + first)
        return Spans(
            orders=ragged(first, own),
            start=positions[ragged(begins[self._starts], own)],
            stop=positions[ragged(stops, own)],
            bounds=np.concatenate(([0], own.cumsum())),
        )


def plans(velocities: Sequence[Velocity]) -> list[Plan]:
    """One for each set of kinds of entities: nothing is then looked up of entities that it is not wanted of."""
    groups: dict[Hashable, list[int]] = {}
    for place, velocity in enumerate(velocities):
        alone = place if velocity.aggregate in history.ALONE else None
        groups.setdefault((velocity.aggregate, alone), []).append(place)
    by_kinds: dict[frozenset[str], list[list[int]]] = {}
    for places in groups.values():
        by_kinds.setdefault(frozenset(velocities[place].entity for place in places), []).append(places)
    return [Plan(velocities, runs) for runs in by_kinds.values()]


def _numbered(numbers: dict[tuple[int, int], int], kinds: Ints, reaches: Sequence[int]) -> Ints:
    """The numbers of pairs of a kind and a reach, which are new where they are not known."""
    pairs = zip(kinds.tolist(), reaches, strict=True)
    return np.array([numbers.setdefault(pair, len(numbers)) for pair in pairs], np.int64)
