"""Recorded orders and labels through the very engine of production, in process, without a broker."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.events.align import Aligner
from app.events.decode import Decoder
from app.events.records import Records, gather
from app.replay.fetches import Fetches
from app.replay.recorded import RecordedBatch
from app.velocity.definitions import HOUR_MS, Velocity
from app.velocity.records import Asks, Ints, asks_of, labels_of
from app.velocity.table import VelocityTable
from app.velocity.windows import Floats
from schemas.events import Label, Order
from schemas.topics import LABELS, ORDERS

TURNS = (LABELS, ORDERS)
"""At the same time what turned out goes before what is to be judged: a label counts from its very time on."""

_MAX_VALUE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """Orders [n] in their turns with their times in ms [n] and the values of the velocities [n, velocities]."""

    orders: list[Order]
    users: list[str]
    ts: Ints
    asks: Asks
    values: Floats


def streamed(
    recording: Iterable[RecordedBatch],
    velocities: Sequence[Velocity],
    done: Callable[[int], None] = lambda events: None,
    step_records: int = 8_192,
) -> Iterator[Told]:
    """The velocities of every order of ``recording``; ``done`` is told how many events each batch had."""
    table, hour, swept = VelocityTable(velocities), 0, 0
    fetches, aligner = Fetches(partitions=1), Aligner(0, TURNS, max_idle=0)
    decoder = Decoder(_MAX_VALUE_BYTES, lambda user, partition: True)
    for batch in recording:
        for fetched in fetches.of(batch):
            if fetched.topic in TURNS:
                aligner.add(decoder.decode(fetched))
        while aligned := aligner.take(lambda topic: 0, 0, step_records):
            told = _told(table, gather([aligned], TURNS))
            yield told
            hour = max(hour, int(told.ts.max(initial=0)) // HOUR_MS)
            if hour > swept:
                table.expire(hour * HOUR_MS)
                swept = hour
        done(len(batch))


def _told(table: VelocityTable, records: Records) -> Told:
    orders, labels = records.topics[ORDERS], records.topics[LABELS]
    asks = asks_of(_orders(orders.events), orders.users, orders.position, orders.ts, orders.ts)
    known = labels_of(_labels(labels.events), labels.users, labels.position, labels.ts)
    return Told(_orders(orders.events), orders.users, orders.ts, asks, table.process(asks, known))


def _orders(events: Sequence[object]) -> list[Order]:
    return [event for event in events if isinstance(event, Order)]


def _labels(events: Sequence[object]) -> list[Label]:
    return [event for event in events if isinstance(event, Label)]
