"""What a run did, in numbers: the figures that `worker --until-end` and `replay` report."""

from collections import Counter
from dataclasses import dataclass, field

from app.pipeline import Work
from schemas.topics import DEAD_LETTER


@dataclass(eq=False)
class Tally:
    """Counts of inputs, outputs by topic, and dead letters by failure type."""

    events_in: int = 0
    outputs: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)

    def add(self, work: Work) -> None:
        """Count one step."""
        self.events_in += work.records
        for out in work.outgoing:
            self.outputs[out.topic] += len(out.values)
        for record in work.effects.rejected:
            self.dead_letters[record.failure.value] += 1

    def report(self, seconds: float) -> dict[str, object]:
        """The figures under their fixed names."""
        return {
            "events_in": self.events_in,
            "outputs": {topic: count for topic, count in sorted(self.outputs.items()) if topic != DEAD_LETTER},
            "dead_letters": dict(sorted(self.dead_letters.items())),
            "seconds": round(seconds, 3),
            "events_per_second": round(self.events_in / seconds) if seconds > 0 else 0,
        }
