"""What frauds have in common: the device and the address of a gang, the terminal where cards are copied.

It has randomness of its own, so that a shop without any of it sends the same bytes as ever.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from app.replay.shop.people import Device, Person, hash_name, new_device

_MEMBERS = (6, 15)
_COMPROMISED_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Crime:
    """The ways of fraud with their shares, the share of visits that are fraud, and how many terminals there are."""

    patterns: Mapping[str, float]
    share: float
    terminals: int


@dataclass(slots=True)
class _Gang:
    device: Device
    address: str
    left: int


@dataclass
class Gangs:
    """The gangs at work, by pattern."""

    seed: int
    terminals: int
    _gangs: dict[str, _Gang] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rng = random.Random(f"{self.seed}/gangs")

    def member(self, pattern: str, newcomer: Person) -> tuple[Person, Device]:
        """The newcomer as one of the gang that does this now, and its device; it moves on after some accounts."""
        gang = self._gangs.get(pattern)
        if gang is None or gang.left == 0:
            address = hash_name("address", self._rng)
            gang = self._gangs[pattern] = _Gang(new_device(self._rng), address, self._rng.randint(*_MEMBERS))
        gang.left -= 1
        return replace(newcomer, address_hash=gang.address), gang.device

    def terminal(self, pattern: str | None) -> str | None:
        """Where a visit pays; a few terminals are those where cards are copied."""
        if not self.terminals:
            return None
        copied = max(1, int(self.terminals * _COMPROMISED_SHARE))
        return f"terminal-{self._rng.randrange(copied if pattern == 'compromised_terminal' else self.terminals)}"
