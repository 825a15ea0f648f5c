"""The first orders of accounts as rules and models see them: through the step, with what their entities have done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.cli.errors import UsageProblem
from app.effects import ScoredOrders
from app.features.inputs import RISK_INPUTS, OrderInputs
from app.replay.recording import open_recording
from app.rules.book import RuleBook
from app.state.columns import Lifetimes
from app.training.payment_sets import noting_frauds
from app.training.rows import replayed, untrained
from app.training.sources import FIRST_ORDERS
from app.velocity.catalogue import BY_NAME
from app.velocity.definitions import Velocity
from app.velocity.joined import Joined, put_together

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

VELOCITIES: tuple[Velocity, ...] = tuple(
    BY_NAME[f"{entity}_{what}_{window}"]
    for entity in ("device", "ip", "network")
    for window in ("24h", "30d")
    for what in ("orders", "users", "frauds")
)
LEARNED = OrderInputs([*RISK_INPUTS.names, *(velocity.name for velocity in VELOCITIES)])


@dataclass(frozen=True, eq=False)
class FirstOrders:
    """Orders [n] in the order of their times in ms, with all that was known at each.

    ``features`` [n, G] are the step's, in the order of ``ORDER_FEATURES``, ``joined`` what the orders were told, NaN
    where an order does not name the entity; ``met`` are the orders that met each rule [n].
    ``device`` [n] are numbers, and ``fraud`` [n] is what turned out, whenever.
    """

    ts: Ints
    device: Ints
    features: NDArray[np.float32]
    joined: Joined
    met: Mapping[str, Flags]
    fraud: Flags

    @property
    def inputs(self) -> NDArray[np.float32]:
        """What is learned from here [n, inputs]; what an order does not name counts as 0."""
        return np.nan_to_num(self.given(LEARNED))

    def given(self, inputs: OrderInputs) -> NDArray[np.float32]:
        """What a model with these ``inputs`` is given of them [n, inputs]."""
        return inputs.of(self.features, self.joined)


def read_first_orders(file: Path, lifetimes: Lifetimes, rules: RuleBook, more: Sequence[Velocity] = ()) -> FirstOrders:
    """Every order of ``file``, under ``rules``, which look at no other velocities than ``VELOCITIES``; told are
    ``more`` besides.

    Raises:
        UsageProblem: it cannot be read, or holds none.
    """
    frauds: set[str] = set()
    recording = noting_frauds(open_recording([file], FIRST_ORDERS.adapter), frauds)
    steps = replayed(
        recording, lifetimes, lambda events: None, untrained(rules), [*dict.fromkeys([*VELOCITIES, *more])]
    )
    parts = [orders for effects in steps for orders in effects.orders]
    if not parts:
        raise UsageProblem(f"{file} has no orders")
    joined = put_together([part.joined for part in parts if part.joined is not None])
    assert joined is not None, "the velocities are asked for"
    orders = [order for part in parts for order in part.orders]
    ts = np.concatenate([part.ts for part in parts])
    turns = np.lexsort((np.array([order.order_id for order in orders]), ts))
    return FirstOrders(
        ts=ts[turns],
        device=np.unique([order.device_id or order.order_id for order in orders], return_inverse=True)[1][turns],
        features=np.concatenate([part.features for part in parts])[turns],
        joined=joined.at(turns),
        met={ready.rule.id: _met(ready.rule.id, parts)[turns] for ready in rules.rules},
        fraud=np.array([order.order_id in frauds for order in orders])[turns],
    )


def _met(rule: str, parts: list[ScoredOrders]) -> Flags:
    """The orders that met ``rule`` [n]."""
    verdicts = (verdict for part in parts for verdict in part.verdicts)
    return np.array([any(hit.id == rule for hit in verdict.hits) for verdict in verdicts], np.bool_)
