"""What was published against what the same path gives for the same input again."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec

from app.kafka.reading import reading
from app.learning.reading import Gathered
from schemas.outputs import ModelRef
from schemas.topics import INTENT_EVENTS, RISK_EVENTS

TOLERANCE: Final = 1e-4
"""Of a score, which is published to six digits: which events share a call of the model is left open."""

_MOST = 4_096
_SCORES: Final = {INTENT_EVENTS: "purchase_probability", RISK_EVENTS: "probability"}

Scores = dict[str, float]
"""By the id of the input."""


class _Output(msgspec.Struct, gc=False):
    source_event_id: str
    model: ModelRef
    purchase_probability: float | None = None
    probability: float | None = None


_DECODER = msgspec.json.Decoder(_Output)


class Check:
    """Counts of outputs of one topic: ``equal`` to the replay's, ``different``, of ``other_versions``, and ``unknown``
    ones, of inputs that the topics do not have any more.

    Args:
        topic: `intent-events` or `risk-events`.
        version: that the replay ran.
        scores: of the replay.
    """

    def __init__(self, topic: str, version: str, scores: Scores) -> None:
        self.counts: Counter[str] = Counter(equal=0, different=0, other_versions=0, unknown=0)
        self._field = _SCORES[topic]
        self._version = version
        self._scores = scores

    def take(self, values: Iterable[bytes | None]) -> None:
        """Compare some outputs."""
        for value in values:
            self.counts[self._verdict(_DECODER.decode(value or b""))] += 1

    def _verdict(self, output: _Output) -> str:
        if output.model.version != self._version:
            return "other_versions"
        score, found = self._scores.get(output.source_event_id), getattr(output, self._field)
        if score is None or found is None:
            return "unknown"
        return "equal" if abs(score - found) <= TOLERANCE else "different"


def scores_of(gathered: Gathered, topic: str) -> Scores:
    """What the replay said of each input."""
    if topic == INTENT_EVENTS:
        pairs = [zip(part.event_ids, part.purchase.tolist(), strict=True) for part in gathered.clicks]
    else:
        pairs = [zip(part.event_ids, part.probability.tolist(), strict=True) for part in gathered.orders]
    return {id_: score for pair in pairs for id_, score in pair if math.isfinite(score)}


async def check_published(broker: str, partitions: int, topic: str, version: str, gathered: Gathered) -> Counter[str]:
    """Compare all outputs of ``topic`` with what the replay by ``version`` said."""
    check = Check(topic, version, scores_of(gathered, topic))
    for partition in range(partitions):
        async with reading(broker, [topic], partition) as reader:
            while not reader.is_at_end:
                for records in (await reader.take(_MOST)).values():
                    check.take(record.value for record in records)
    return check.counts
