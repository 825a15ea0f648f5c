"""One session as it happens: what it sends, and what is true about it."""

import math
import random
from dataclasses import dataclass, field

import msgspec

from app.replay.shop.catalogue import Catalogue, Product
from app.replay.shop.people import Device, Person
from app.replay.shop.truth import Truth
from schemas.events import Click, Label, Order

_CNY_PER_USD = 7.0


@dataclass(frozen=True, slots=True)
class Happened:
    """An event and the truth about it."""

    event: Click | Order | Label
    truth: Truth


@dataclass
class Visit:
    """A session under way. `ts` is its clock, ms since the epoch; `anonymous` visitors have not logged in.

    A `newcomer` opens an account. `last_order` is an earlier order of this customer, to write about. `terminal` is
    where this visit pays, if the shop has several.
    """

    rng: random.Random
    catalogue: Catalogue
    person: Person
    device: Device
    session_id: str
    ts: int
    intent: str
    last_order: str
    newcomer: bool = False
    anonymous: bool = False
    pattern: str | None = None
    terminal: str | None = None
    happened: list[Happened] = field(default_factory=list)

    def __post_init__(self) -> None:
        who = "anonymous_id" if self.anonymous else "user_id"
        self._constant: dict[str, object] = {
            who: self.device.device_id if self.anonymous else self.person.user_id,
            "session_id": self.session_id,
            "device_id": self.device.device_id,
            "ip": self.device.ip,
            "user_agent": self.device.user_agent,
            "locale": self.person.locale,
        }

    def click(self, kind: str, wait: float, query_intent: str | None = None, **fields: object) -> None:
        """Something on the site, about `wait` seconds after the event before it."""
        self._click(kind, wait, query_intent, fields)

    def product(self, kind: str, wait: float, product: Product, **fields: object) -> None:
        """The same, with a product."""
        shown = {
            "product_id": product.product_id,
            "category": product.category,
            "brand": product.brand,
            "price": self.money(product.price),
            "currency": self.currency,
        }
        self._click(kind, wait, None, shown | fields)

    def order(self, kind: str, wait: float, value: float, **fields: object) -> str:
        """An order or payment of `value` US dollars, about `wait` seconds later; returns its `order_id`."""
        self._let_pass(wait)
        order_id = f"order-{self._next_id()}"
        payment: dict[str, object] = {
            "order_id": order_id,
            "value": self.money(value),
            "currency": self.currency,
            "payment_method": "card",
            "card_hash": self.person.card_hash,
            "bin": self.person.bin,
            "billing_country": self.person.country,
            "shipping_country": self.person.country,
            "shipping_address_hash": self.person.address_hash,
            "account_created_ts": self.person.account_created_ts,
        }
        if self.terminal is not None:
            payment["merchant_id"] = self.terminal
        event = msgspec.convert(self._usual(kind) | payment | fields, Order)
        fraud = self.pattern is not None
        self.happened.append(Happened(event, Truth(fraud=fraud, pattern=self.pattern)))
        return order_id

    @property
    def currency(self) -> str:
        """What this customer pays in."""
        return "CNY" if self.person.chinese else "USD"

    def money(self, dollars: float) -> float:
        """An amount in the customer's currency, to the cent and never nothing."""
        return max(round(dollars * (_CNY_PER_USD if self.person.chinese else 1), 2), 0.01)

    def chance(self, probability: float) -> bool:
        """Whether something happens that does so with this probability."""
        return self.rng.random() < probability

    def finished(self) -> list[Happened]:
        """Everything that happened, each click with whether a purchase follows it."""
        bought = [place for place, one in enumerate(self.happened) if one.event.type == "order_completed"]
        last = bought[-1] if bought else -1
        return [
            Happened(one.event, Truth(self.intent, place < last, one.truth.query_intent, pattern=self.pattern))
            if isinstance(one.event, Click)
            else one
            for place, one in enumerate(self.happened)
        ]

    def _click(self, kind: str, wait: float, query_intent: str | None, fields: dict[str, object]) -> None:
        self._let_pass(wait)
        event = msgspec.convert(self._usual(kind) | fields, Click)
        self.happened.append(Happened(event, Truth(self.intent, query_intent=query_intent)))

    def _usual(self, kind: str) -> dict[str, object]:
        """The fields that all events have."""
        return self._constant | {"event_id": self._next_id(), "type": kind, "ts": self.ts}

    def _next_id(self) -> str:
        return f"{self.session_id}-{len(self.happened)}"

    def _let_pass(self, seconds: float) -> None:
        """A time that is lognormal around `seconds`, below the half hour that would end the session."""
        self.ts += int(min(self.rng.lognormvariate(math.log(seconds), 0.7), 1_200) * 1000)
