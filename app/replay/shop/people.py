"""Who comes to the shop."""

import random
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

DAY_MS = 86_400_000
ZIPF_EXPONENT = 0.8
"""With 50,000 users the busiest one makes 2.5 % of the visits."""

# Country, language and time zone are one choice: what a shop sees of a visitor agrees with itself.
_HOMES = [("CN", "zh-CN", 0.5), ("GB", "en-GB", 0.2), ("US", "en-US", 0.2), ("SG", "zh-SG", 0.1)]
_AGENTS = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5) Mobile Safari",
    "Mozilla/5.0 (Linux; Android 15) Chrome/138 Mobile",
    "Mozilla/5.0 (Windows NT 10.0; Win64) Chrome/138",
    "Mozilla/5.0 (Macintosh) Safari/605",
]


@dataclass(frozen=True, slots=True)
class Device:
    """What a visit comes from."""

    device_id: str
    ip: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Person:
    """A customer. `eagerness` scales how often a visit is meant to end in a purchase (1 is usual)."""

    user_id: str
    device: Device
    country: str
    locale: str
    taste: int
    eagerness: float
    card_hash: str
    bin: str
    address_hash: str
    account_created_ts: int

    @property
    def chinese(self) -> bool:
        """Whether this customer writes Chinese."""
        return self.locale.startswith("zh")


class People:
    """`users` customers, each made from the seed when needed; a few act much more often than most."""

    def __init__(self, seed: int, users: int, categories: int, start_ts: int) -> None:
        self._seed = seed
        self._categories = categories
        self._start_ts = start_ts
        weights = np.arange(1, users + 1) ** -ZIPF_EXPONENT
        self._cumulated: npt.NDArray[np.float64] = np.cumsum(weights) / weights.sum()
        self._by_rank = np.random.default_rng(seed).permutation(users)
        self.person = lru_cache(maxsize=10_000)(self._person)

    def draw(self, rng: random.Random) -> int:
        """The number of a customer, by how active each is."""
        rank = int(np.searchsorted(self._cumulated, rng.random(), side="right"))
        return int(self._by_rank[min(rank, len(self._by_rank) - 1)])

    def _person(self, number: int) -> Person:
        rng = random.Random(f"{self._seed}/{number}")
        country, locale, _ = rng.choices(_HOMES, [share for _, _, share in _HOMES])[0]
        return Person(
            user_id=f"u{number}",
            device=new_device(rng),
            country=country,
            locale=locale,
            taste=rng.randrange(self._categories),
            eagerness=rng.lognormvariate(-0.3, 0.8),
            card_hash=hash_name("card", rng),
            bin=str(rng.randrange(400_000, 560_000)),
            address_hash=hash_name("address", rng),
            account_created_ts=self._start_ts - int(rng.expovariate(1 / 400) * DAY_MS),
        )


def new_device(rng: random.Random) -> Device:
    """A device that was not seen before, at an address of its own."""
    return Device(
        device_id=hash_name("device", rng),
        ip=f"100.{rng.randrange(64, 128)}.{rng.randrange(256)}.{rng.randrange(1, 255)}",
        user_agent=rng.choice(_AGENTS),
    )


def hash_name(kind: str, rng: random.Random) -> str:
    """A name nobody else has, as a shop would store it instead of the thing itself."""
    return f"{kind}-{rng.getrandbits(48):012x}"
