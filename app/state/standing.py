"""What earlier decisions left behind of a user: a freeze, the latest decision, the alerts that were raised, and the
rules that the session has met.

It lies beside the fixed part of a row, since only users with orders or with such a session have it.
"""

import struct
from dataclasses import dataclass, field
from typing import Final

from app.state.alert_groups import AlertGroup, open_group

MOST_GROUPS: Final = 4
"""Kinds of alert that a user raises in one window, at most."""
MOST_MET: Final = 64
"""Rules that a session meets, at most."""
NO_DECISION: Final = bytes(16)

_HEAD = struct.Struct("<16sQ16sQqH")
_GROUP = struct.Struct("<QqqI")


@dataclass(slots=True)
class Standing:
    """Decision ids are the 16 bytes of their UUIDs, orders the 64-bit hashes of their ids.

    ``freeze`` is the decision about the account that is in force, ``freezer`` the order that brought it about;
    ``latest`` is the decision about the ``order`` that came last. ``met`` are hashes of the rules that the session
    which began at ``session`` (ms) has met.
    """

    freeze: bytes = NO_DECISION
    freezer: int = 0
    latest: bytes = NO_DECISION
    order: int = 0
    groups: list[AlertGroup] = field(default_factory=list)
    session: int = 0
    met: list[int] = field(default_factory=list)

    def meets(self, rule: int, session: int) -> bool:
        """Note that the session that began at ``session`` ms meets a rule; tells whether it does so for the first
        time."""
        if session != self.session:
            self.session, self.met = session, []
        if rule in self.met or len(self.met) >= MOST_MET:
            return False
        self.met.append(rule)
        return True

    def group(self, reason: int, ts: int, window_ms: int, limit: int) -> AlertGroup | None:
        """See `open_group`, of the alerts about the user."""
        return open_group(self.groups, reason, ts, window_ms, limit, MOST_GROUPS)

    def begun_anew(self) -> "Standing | None":
        """What outlives a history: a freeze, which holds until it is lifted."""
        return Standing(self.freeze, self.freezer) if self.freeze != NO_DECISION else None

    def packed(self) -> bytes:
        """As bytes."""
        head = _HEAD.pack(self.freeze, self.freezer, self.latest, self.order, self.session, len(self.met))
        met = struct.pack(f"<{len(self.met)}Q", *self.met)
        groups = (_GROUP.pack(each.reason, each.until, each.first, each.count) for each in self.groups)
        return b"".join((head, met, *groups))

    @classmethod
    def unpacked(cls, packed: bytes) -> "Standing":
        """The one that ``packed`` gave."""
        freeze, freezer, latest, order, session, count = _HEAD.unpack_from(packed)
        met = struct.unpack_from(f"<{count}Q", packed, _HEAD.size)
        groups = [AlertGroup(*each) for each in _GROUP.iter_unpack(packed[_HEAD.size + 8 * count :])]
        return cls(freeze, freezer, latest, order, groups, session, list(met))
