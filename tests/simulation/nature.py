"""How rough a world is."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Nature:
    """How rough a world is: weights of what happens. Every seed has a nature of its own."""

    weights: dict[str, float]
    actions: int
    refused: float
    unheard: float
    late_answer: float
    fetches: tuple[int, ...]

    @classmethod
    def of(cls, rng: Random) -> "Nature":
        """Some faults often, some never."""

        def sometimes(weight: float) -> float:
            return rng.choice([0.0, weight, weight, 3 * weight])

        weights = {
            "fetch": 6.0,
            "broker": 20.0,
            "finish": 8.0,
            "restart": 3.0,
            "tell": 4.0,
            "complete": 4.0,
            "commit": 1.5,
            "wake": 0.5,
            "rebalance": sometimes(0.3),
            "cut": sometimes(1.0),
            "crash": sometimes(0.25),
            "wipe": sometimes(0.1),
            "pause": sometimes(0.3),
            "expel": sometimes(1.0),
            "time out": sometimes(0.3),
        }
        quiet = rng.random() < 0.4
        return cls(
            weights,
            actions=rng.choice([30, 60, 100]),
            refused=0.0 if quiet else rng.choice([0.0, 0.02, 0.06]),
            unheard=0.0 if quiet else rng.choice([0.0, 0.02, 0.06]),
            late_answer=rng.choice([0.0, 0.3, 0.6]),
            fetches=(1, 5, 30, 100),
        )
