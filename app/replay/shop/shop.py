"""Visits of many customers at once, as one stream in event-time order."""

import heapq
import random
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace

import msgspec

from app.replay.recorded import RecordedBatch
from app.replay.shop.catalogue import Catalogue
from app.replay.shop.crimes import CRIMES, OWN_ACCOUNT, SHARED_DEVICE
from app.replay.shop.gangs import Crime, Gangs
from app.replay.shop.journeys import JOURNEYS, SHARES
from app.replay.shop.people import People, Person, new_device
from app.replay.shop.truth import ShopBatch, Truth
from app.replay.shop.visit import Happened, Visit
from schemas.events import Click, Label, Order, visitor
from schemas.topics import CLICKSTREAM, LABELS, ORDERS

EVENTS_PER_VISIT = 11.0
"""The mean, measured; it turns a rate of events into one of visits."""
FRAUD_SHARE = 0.006
"""Of all visits."""

_ANONYMOUS_SHARE = 0.3
_ANONYMOUS_INTENTS = ("browse", "search", "compare")
_REPORTED_SHARE = 0.85
_REVIEWED_SHARE = 0.02
_REMEMBERED_ORDERS = 10_000
_NEWCOMER_SHARE = 0.03
PATTERNS: Mapping[str, float] = {"account_takeover": 0.4, "card_testing": 0.15, "stolen_card": 0.45}
"""Ways of fraud, each with its share; those that the committed models have learned from."""
ALL_PATTERNS: Mapping[str, float] = {
    "account_takeover": 0.2,
    "card_testing": 0.1,
    "stolen_card": 0.2,
    "ring": 0.2,
    "promotion_abuse": 0.1,
    "compromised_terminal": 0.15,
    "scraping": 0.05,
}
"""Every way of fraud that the shop knows."""

Queued = tuple[int, int, Happened]


class Shop:
    """A recording without files: events and truth from a seed, endless or until about `events` were made.

    `users`: customers; how active each is follows a power law. `start_ts`: ms since the epoch.
    `events_per_second`: of event time, about. `chargeback_delay_s`: how long after a fraud, about, it is known.
    `patterns`: the ways of fraud with their shares, of `fraud_share` of all visits; `terminals`: how many the shop has,
    0 if orders name none.
    A customer makes one visit at a time, so 100 of them are needed for each event per second. No visit begins
    once the visits begun have `events` clicks and orders; those under way end, and labels that are not due by
    then stay out. The same arguments give the same bytes. Memory does not grow with the number of events.
    """

    def __init__(
        self,
        seed: int,
        users: int = 10_000,
        start_ts: int = 1_760_000_000_000,
        events_per_second: float = 100,
        *,
        events: int | None = None,
        batch_rows: int = 1_024,
        chargeback_delay_s: float = 3 * 86_400,
        patterns: Mapping[str, float] = PATTERNS,
        fraud_share: float = FRAUD_SHARE,
        terminals: int = 0,
    ) -> None:
        self._seed = seed
        self._users = users
        self._start_ts = start_ts
        self._visits_per_ms = events_per_second / EVENTS_PER_VISIT / 1000
        self._events = events
        self._batch_rows = batch_rows
        self._chargeback_delay_s = chargeback_delay_s
        self._crime = Crime(patterns, fraud_share, terminals)

    def __iter__(self) -> Iterator[ShopBatch]:
        """From the start, every time."""
        batch: list[Happened] = []
        shop = _OpenShop(self._seed, self._users, self._start_ts, self._chargeback_delay_s, self._crime)
        for happened in shop.events(self._visits_per_ms, self._events):
            batch.append(happened)
            if len(batch) == self._batch_rows:
                yield _shop_batch(batch)
                batch = []
        if batch:
            yield _shop_batch(batch)


class _OpenShop:
    """The shop while it is open."""

    def __init__(self, seed: int, users: int, start_ts: int, chargeback_delay_s: float, crime: Crime) -> None:
        self._seed = seed
        self._rng = random.Random(seed)
        self._catalogue = Catalogue(self._rng)
        self._people = People(seed, users, self._catalogue.categories, start_ts)
        self._now = start_ts
        self._chargeback_delay_s = chargeback_delay_s
        self._crime = crime
        self._gangs = Gangs(seed, crime.terminals)
        self._queue: list[Queued] = []
        self._queued = 0
        self._made = 0
        self._waiting = 0
        self._visits = 0
        self._busy: set[int] = set()
        self._leaving: list[tuple[int, int]] = []
        self._last_orders: OrderedDict[str, str] = OrderedDict()

    def events(self, visits_per_ms: float, most: int | None) -> Iterator[Happened]:
        """Everything that happens, in order of time."""
        next_visit = self._now
        while most is None or self._made < most:
            while self._queue and self._queue[0][0] <= next_visit:
                yield self._pop()
            self._now = next_visit
            self._begin_visit()
            next_visit += 1 + int(self._rng.expovariate(visits_per_ms))
        while self._waiting:
            yield self._pop()

    def _pop(self) -> Happened:
        happened = heapq.heappop(self._queue)[2]
        self._waiting -= not isinstance(happened.event, Label)
        return happened

    def _begin_visit(self) -> None:
        number = self._free_customer()
        if number is None:
            return
        happened = self._visit(number).finished()
        self._made += len(happened)
        self._waiting += len(happened)
        self._busy.add(number)
        heapq.heappush(self._leaving, (happened[-1].event.ts, number))
        for one in [*happened, *self._labels(happened)]:
            heapq.heappush(self._queue, (one.event.ts, self._queued, one))
            self._queued += 1

    def _free_customer(self) -> int | None:
        """Somebody who is not on the site right now, or None if that is hard to find."""
        while self._leaving and self._leaving[0][0] < self._now:
            self._busy.remove(heapq.heappop(self._leaving)[1])
        drawn = (self._people.draw(self._rng) for _ in range(8))
        return next((number for number in drawn if number not in self._busy), None)

    def _visit(self, number: int) -> Visit:
        person, self._visits = self._people.person(number), self._visits + 1
        fraud = self._rng.random() < self._crime.share
        patterns = self._crime.patterns
        pattern = self._rng.choices(list(patterns), list(patterns.values()))[0] if fraud else None
        intent = "browse" if pattern == "scraping" else "purchase" if fraud else self._intent(person)
        newcomer = pattern in OWN_ACCOUNT or (not fraud and self._rng.random() < _NEWCOMER_SHARE)
        anonymous = (
            not newcomer and not fraud and intent in _ANONYMOUS_INTENTS and self._rng.random() < _ANONYMOUS_SHARE
        )
        rng = random.Random(self._rng.getrandbits(64))
        last_order = self._last_orders.get(person.user_id, f"order-{person.user_id}-0")
        person = self._newcomer(person) if newcomer else person
        device = new_device(rng) if fraud or rng.random() < 0.1 else person.device
        if pattern is not None and pattern in SHARED_DEVICE:
            person, device = self._gangs.member(pattern, person)
        visit = Visit(
            rng=rng,
            catalogue=self._catalogue,
            person=person,
            device=device,
            session_id=f"s{self._seed}-{self._visits}",
            ts=self._now,
            intent=intent,
            last_order=last_order,
            newcomer=newcomer,
            anonymous=anonymous,
            pattern=pattern,
            terminal=self._gangs.terminal(pattern),
        )
        (CRIMES[pattern] if pattern else JOURNEYS[intent])(visit)
        self._remember_orders(visit)
        return visit

    def _intent(self, person: Person) -> str:
        weights = [share * (person.eagerness if name == "purchase" else 1) for name, share in SHARES.items()]
        return self._rng.choices(list(SHARES), weights)[0]

    def _newcomer(self, person: Person) -> Person:
        """Somebody of the same country without any past."""
        return replace(person, user_id=f"n{self._seed}-{self._visits}", account_created_ts=self._now)

    def _remember_orders(self, visit: Visit) -> None:
        for one in visit.happened:
            if isinstance(one.event, Order):
                self._last_orders[visit.person.user_id] = one.event.order_id
                self._last_orders.move_to_end(visit.person.user_id)
        while len(self._last_orders) > _REMEMBERED_ORDERS:
            self._last_orders.popitem(last=False)

    def _labels(self, happened: list[Happened]) -> Iterator[Happened]:
        """What will turn out about the orders, most frauds and few honest ones."""
        for one in happened:
            if isinstance(one.event, Order):
                share = _REPORTED_SHARE if one.truth.fraud else _REVIEWED_SHARE
                if self._rng.random() < share:
                    yield Happened(self._label(one.event, one.truth), Truth())

    def _label(self, order: Order, truth: Truth) -> Label:
        delay = self._chargeback_delay_s * self._rng.lognormvariate(0, 0.5)
        return Label(
            event_id=f"label-{order.event_id}",
            ts=order.ts + int(delay * 1000),
            label="chargeback" if truth.fraud else "legitimate",
            order_id=order.order_id,
            user_id=order.user_id,
            source="bank" if truth.fraud else "review",
        )


def _shop_batch(happened: list[Happened]) -> ShopBatch:
    events = [one.event for one in happened]
    topics = {Click: CLICKSTREAM, Order: ORDERS, Label: LABELS}
    encode = msgspec.json.Encoder().encode
    recorded = RecordedBatch(
        topics=[topics[type(event)] for event in events],
        keys=[(visitor(event) or "").encode() for event in events],
        timestamps=[event.ts for event in events],
        values=[encode(event) for event in events],
    )
    return ShopBatch(recorded, [one.truth for one in happened])
