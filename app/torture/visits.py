"""The load: visits that carry their own expected result, so that no book has to be kept beside them.

The id of a session names its clicks, the cents in its cart and its span. Visits take turns, one event each: so two
events of one user always lie `Load.spacing` turns apart, much longer than anything that could put a click and an order
of the same moment in another order. Event time passes with the turns: strictly, over all topics of a partition.
"""

import random
from collections import deque
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from app.kafka.partition import partition_of
from schemas.topics import CLICKSTREAM, LABELS, ORDERS

START_MS = 1_760_000_000_000
SPEED = 10
"""Milliseconds of event time in one of the wall clock."""

GAP_MS, GRACE_MS, HISTORY_MS = 60_000, 60_000, 300_000
"""Lifetimes that the workers are given: sessions end and histories expire many times in a run."""

_TURN_S = 1.5  # from one event of a visit to its next
_USERS_S = 6.0  # users for so many seconds of visits come back in turn, to their history
_RETURNS = 4  # then as many others do: histories expire meanwhile, and nobody's grows with the run
_BROWSING = ("page_viewed", "product_viewed", "products_searched", "cart_viewed", "checkout_started", "message_sent")
_COUNTRIES = ("CN", "DE", "BR", "US")


class Sent(NamedTuple):
    """One event on its way."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    ts: int


class Expected(NamedTuple):
    """What a session id says of its session: clicks, cents in the cart, ms from the first click to the last."""

    clicks: int
    cents: int
    span_ms: int


@dataclass(frozen=True)
class Load:
    """How many events a second, over how many partitions."""

    rate: int
    partitions: int

    @property
    def step_ms(self) -> int:
        """Event time of a turn."""
        return max(1, 1000 * SPEED // self.rate)

    @property
    def spacing(self) -> int:
        """Visits that take turns."""
        return max(1, int(self.rate * _TURN_S))

    @property
    def users(self) -> int:
        """Users that come back in turn."""
        return max(1, int(self.rate * _USERS_S))

    def user(self, visit: int) -> int:
        """Whose visit it is: below twice ``users``."""
        return visit % self.users + self.users * (visit // (self.users * _RETURNS) % 2)


class Visits:
    """The events of a seed, turn by turn."""

    def __init__(self, load: Load, seed: int) -> None:
        self._load = load
        self._choice = random.Random(seed)
        self._turn = 0
        self._visits = 0
        self._waiting: list[deque[tuple[str, dict[str, Any]]]] = [deque() for _ in range(load.spacing)]
        self._partitions = [partition_of(_user(number), load.partitions) for number in range(2 * load.users)]
        self._numbers = [0] * load.spacing
        self._encoder = msgspec.json.Encoder()

    @property
    def are_over(self) -> bool:
        """Whether no visit under way has anything left."""
        return not any(self._waiting)

    def take(self, turns: int, begins: bool = True) -> list[Sent]:
        """The events of the next turns; where ``begins``, visits that are over make room for new ones."""
        return [event for _ in range(turns) if (event := self._next(begins))]

    def last(self) -> list[Sent]:
        """Clicks of others, one in each partition, that move event time past the end of every session."""
        return self._beats(GAP_MS + GRACE_MS + 2_000)

    def _next(self, begins: bool) -> Sent | None:
        slot, ts = self._turn % self._load.spacing, START_MS + self._turn * self._load.step_ms
        self._turn += 1
        waiting = self._waiting[slot]
        if not waiting:
            if not begins:
                return None
            self._begin(slot)
        topic, fields = waiting.popleft()
        number = self._numbers[slot]
        return self._sent(topic, _user(number), self._partitions[number], fields, ts)

    def _begin(self, slot: int) -> None:
        number, self._visits = self._visits, self._visits + 1
        self._numbers[slot] = self._load.user(number)
        self._waiting[slot].extend(_visit(number, self._choice, self._load.spacing * self._load.step_ms))

    def _beats(self, after_ms: int) -> list[Sent]:
        ts = START_MS + self._turn * self._load.step_ms + after_ms
        found: dict[int, bytes] = {}
        number = 0
        while len(found) < self._load.partitions:
            user = f"beat-{number}".encode()
            found.setdefault(partition_of(user, self._load.partitions), user)
            number += 1
        clicks = {"type": "page_viewed", "session_id": "beat"}
        return [
            self._sent(
                CLICKSTREAM, user, partition, clicks | {"event_id": f"beat-{partition}-{after_ms}"}, ts + partition
            )
            for partition, user in sorted(found.items())
        ]

    def _sent(self, topic: str, user: bytes, partition: int, fields: dict[str, Any], ts: int) -> Sent:
        body = {"event_id": fields["event_id"], "ts": ts, "user_id": user.decode()} | fields
        return Sent(topic, partition, user, self._encoder.encode(body), ts)


def expected(session_id: str) -> Expected | None:
    """What the id of a session says of it; None for a beat."""
    if session_id == "beat":
        return None
    _, clicks, cents, span_ms = session_id.split("-")
    return Expected(int(clicks), int(cents), int(span_ms))


def _user(number: int) -> bytes:
    return f"u{number}".encode()


def _visit(number: int, choice: random.Random, between_ms: int) -> list[tuple[str, dict[str, Any]]]:
    """Clicks, in some visits an order between them, and in a few what it turned out to be."""
    clicks = choice.randint(2, 6)
    order_at = choice.randint(2, clicks) if choice.random() < 0.4 else None
    cents = [choice.randint(100, 90_000) if choice.random() < 0.3 else 0 for _ in range(clicks)]
    late_turns = 1 if order_at is not None and order_at < clicks else 0
    session = f"s{number}-{clicks}-{sum(cents)}-{(clicks - 1 + late_turns) * between_ms}"
    found: list[tuple[str, dict[str, Any]]] = []
    for place, price in enumerate(cents):
        if place == order_at:
            found.append((ORDERS, _order(number, choice)))
        found.append((CLICKSTREAM, _click(f"{number}-{place}", session, price, choice)))
    if order_at == clicks:
        found.append((ORDERS, _order(number, choice)))
    if order_at is not None and choice.random() < 0.3:
        label = choice.choice(["fraud", "legitimate"])
        found.append((LABELS, {"event_id": f"{number}-label", "label": label, "order_id": f"order-{number}"}))
    return found


def _click(event_id: str, session: str, cents: int, choice: random.Random) -> dict[str, Any]:
    click: dict[str, Any] = {"event_id": event_id, "type": choice.choice(_BROWSING), "session_id": session}
    if cents:
        click |= {"type": "product_added", "price": cents / 100, "quantity": 1, "currency": "EUR"}
    return click | {"product_id": f"p{choice.randrange(500)}", "category": f"c{choice.randrange(12)}"}


def _order(number: int, choice: random.Random) -> dict[str, Any]:
    return {
        "event_id": f"{number}-order",
        "type": "order_placed",
        "order_id": f"order-{number}",
        "value": choice.choice([9.99, 19.99, 35.0, 80.0, 120.0, 900.0]),
        "currency": "EUR",
        "billing_country": choice.choice(_COUNTRIES),
        "shipping_country": choice.choice(_COUNTRIES),
    }
