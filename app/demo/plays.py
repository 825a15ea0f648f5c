"""What the demo plays: recorded events where some are given, then the simulated shop."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from app.replay.recorded import RecordedBatch
from app.replay.shop import Shop, ShopBatch
from app.replay.shop.shop import ALL_PATTERNS
from schemas.topics import CLICKSTREAM

START_TS = 1_760_000_000_000
USERS = 5_000
EVENTS_PER_SECOND = 10.0
"""Of event time: so seconds of the demo are an hour in the shop, and sessions end."""

_FRAUD_SHARE, _TERMINALS = 0.02, 200
_CHARGEBACK_DELAY_S = 900.0
_BATCH_ROWS = 512
_DAY_MS = 86_400_000
_LATEST_MS = 4_000_000_000_000  # a data set whose last event is dated later has a wrong clock, not a future


class _Ids(msgspec.Struct, gc=False):
    event_id: str
    session_id: str = ""


@dataclass
class Truth:
    """What the shop knows.

    By event id: of clicks, whether a purchase follows in the session; of orders, whether they are fraud, and of those
    that are how it is done. By session id: whether it is a bot's.
    """

    purchase_later: dict[str, bool] = field(default_factory=dict)
    fraud: dict[str, bool] = field(default_factory=dict)
    patterns: dict[str, str] = field(default_factory=dict)
    scraping: dict[str, bool] = field(default_factory=dict)

    def learn(self, batch: ShopBatch) -> None:
        """Remember what is true of a batch."""
        decode = msgspec.json.Decoder(_Ids).decode
        for topic, value, truth in zip(batch.recorded.topics, batch.recorded.values, batch.truths, strict=True):
            ids = decode(value)
            if topic == CLICKSTREAM:
                self.scraping[ids.session_id] = truth.pattern == "scraping"
            if truth.purchase_later is not None:
                self.purchase_later[ids.event_id] = truth.purchase_later
            if truth.fraud is not None:
                self.fraud[ids.event_id] = truth.fraud
            if truth.fraud and truth.pattern:
                self.patterns[ids.event_id] = truth.pattern


@dataclass
class Played:
    """What has been handed out so far: events by topic, the time of the latest (ms), and the truth."""

    sent: Counter[str] = field(default_factory=Counter)
    latest_ts: int = 0
    truth: Truth = field(default_factory=Truth)

    def recorded(self, recording: Iterable[RecordedBatch]) -> Iterator[RecordedBatch]:
        """The same events, counted."""
        for batch in recording:
            self.sent.update(batch.topics)
            self.latest_ts = max(self.latest_ts, *batch.timestamps)
            yield batch

    def shop(self, seed: int, events: int) -> Iterator[RecordedBatch]:
        """About ``events`` events of the shop, which opens a day after everything played before."""
        start = START_TS
        if 0 < self.latest_ts < _LATEST_MS:
            start = self.latest_ts + _DAY_MS
        shop = Shop(
            seed,
            USERS,
            start,
            EVENTS_PER_SECOND,
            events=events,
            batch_rows=_BATCH_ROWS,
            chargeback_delay_s=_CHARGEBACK_DELAY_S,
            patterns=ALL_PATTERNS,
            fraud_share=_FRAUD_SHARE,
            terminals=_TERMINALS,
        )
        for batch in shop:
            self.truth.learn(batch)
            yield from self.recorded([batch.recorded])
