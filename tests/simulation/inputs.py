"""What the workers read, and what a single process makes of it that sees it once."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import count, islice
from random import Random

from app.kafka.fetched import Headers, Partition
from app.kafka.partition import partition_of
from app.kafka.record_batch import NO_HEADERS, decode_headers
from app.pipeline import Limits, Pipeline
from schemas.topics import INPUTS, LABELS, ORDERS
from tests.fakes import fake_models
from tests.harness import LIVES, MINUTE, SCORED_AT, SECOND, VALUE_BYTES, Input, click, label, order, raw
from tests.simulation.broker import Entry, Kafka
from tests.simulation.clients import fetched

TOPICS = [topic.name for topic in INPUTS]
RECIPES = 48
_EVENTS = 38, 10
_STEPS_MS = [0, SECOND, 20 * SECOND, 70 * SECOND, 5 * MINUTE, 31 * MINUTE]
_WRONG = [b"{", b"", b'{"event_id":"x"}', b"[1]", None]

Output = tuple[bytes | None, bytes | None, Headers]
Outputs = dict[tuple[str, bytes | None], list[Output]]
"""By topic and key, in order."""


@dataclass(frozen=True)
class Expected:
    """Input logs, and what comes of them. They come in two waves: ``first`` is where the first one ends."""

    partitions: int
    logs: dict[Partition, list[Entry]]
    first: dict[Partition, int]
    outputs: Outputs
    pipeline: Pipeline


@cache
def expected(recipe: int) -> Expected:
    """The inputs of that number; they and what comes of them are made once."""
    rng = Random(recipe)
    partitions = rng.choice([1, 2, 2, 3])
    logs: dict[Partition, list[Entry]] = {(topic, number): [] for number in range(partitions) for topic in TOPICS}
    before, after = _records(rng)
    _append(logs, before, partitions, rng)
    first = {tp: len(log) for tp, log in logs.items()}
    _append(logs, after, partitions, rng)
    outputs, pipeline = _reference(logs, first, partitions)
    return Expected(partitions, logs, first, outputs, pipeline)


def _records(rng: Random) -> list[list[Input]]:
    """Records in time order but for some late ones: half are of one busy user; some come twice, some are wrong."""
    users = [f"u{number}" for number in range(rng.randint(2, 6))]
    at, waves, numbers = 0, list[list[Input]](), count()
    for events in _EVENTS:
        made: list[Input] = []
        for number in islice(numbers, events):
            at += rng.choices(_STEPS_MS, [3, 10, 6, 2, 1, 1])[0]
            user = users[0] if rng.random() < 0.5 else rng.choice(users)
            ts = max(0, at - rng.choice([0] * 12 + [5 * SECOND, 40 * SECOND, 5 * MINUTE]))
            made.append(_record(rng, user, ts, f"e{number}"))
            if rng.random() < 0.06:
                made.append(rng.choice(made[-8:]))
            if rng.random() < 0.06:
                made.append(raw(rng.choice(_WRONG), user.encode(), rng.choice(TOPICS)))
        waves.append(made)
    return waves


def _record(rng: Random, user: str, ts: int, id_: str) -> Input:
    topic = rng.choices(TOPICS, [12, 3, 1])[0]
    if topic == ORDERS:
        return order(user, ts, id_, value=rng.choice([5.0, 80.0, 900.0]))
    if topic == LABELS:
        return label(user, ts, id_)
    type_ = rng.choice(["page_viewed", "product_viewed", "product_added", "checkout_started"])
    return click(user, ts, id_, type_, product_id=f"p{rng.randrange(4)}", price=9.5)


def _append(logs: dict[Partition, list[Entry]], records: Iterable[Input], partitions: int, rng: Random) -> None:
    """Put records where their keys belong, with the markers of transactions between some, and behind some."""
    has_markers = rng.random() < 0.4
    for one in records:
        log = logs[one.topic, partition_of(one.key or b"", partitions)]
        log.append(Entry(one.key, one.value, one.headers))
        if has_markers and rng.random() < 0.2:
            log.append(Entry(None, None, [], is_marker=True))


def _reference(
    logs: dict[Partition, list[Entry]], first: dict[Partition, int], partitions: int
) -> tuple[Outputs, Pipeline]:
    pipeline = Pipeline(fake_models(), LIVES, Limits(4096, VALUE_BYTES, 0.0), partitions, with_headers=True)
    kafka = Kafka()
    kafka.logs.update(logs)
    found: Outputs = defaultdict(list)
    starts = dict.fromkeys(logs, 0)
    for ends in (first, {tp: len(log) for tp, log in logs.items()}):
        for tp, end in ends.items():
            if end > starts[tp]:
                pipeline.feed(fetched(tp, starts[tp], kafka.read(tp, starts[tp], end - starts[tp]), 0))
        while work := pipeline.work(lambda _: 0, 0.0, SCORED_AT):
            for out in work.outgoing:
                blocks = out.headers or [NO_HEADERS] * len(out.keys)
                for key, value, block in zip(out.keys, out.values, blocks, strict=True):
                    found[out.topic, key].append((key, value, decode_headers(block)))
        starts = ends
    return dict(found), pipeline
