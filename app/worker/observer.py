"""What a worker says of itself: metrics, progress and the tally, told once per step."""

from collections import Counter

from app.ops.metrics import Metrics
from app.ops.progress import Progress
from app.pipeline import Work
from app.tally import Tally


class Observer:
    """Passes on what happens to steps."""

    def __init__(self, metrics: Metrics, progress: Progress, tally: Tally) -> None:
        self.metrics = metrics
        self.progress = progress
        self.tally = tally

    def stepped(self, work: Work, seconds: float) -> None:
        """A step was computed in ``seconds``; nothing of it is durable yet."""
        self.metrics.batch(work.records, seconds)
        for partition in work.enforced:
            self.metrics.enforced_alignments(partition)

    def durable(self, work: Work) -> None:
        """Everything of a step is durable."""
        effects, metrics = work.effects, self.metrics
        for topic, count in work.inputs.items():
            metrics.events(topic, count)
        outputs: Counter[str] = Counter()
        for out in work.outgoing:
            outputs[out.topic] += len(out.values)
        metrics.outputs(outputs)
        metrics.dead_letters(Counter(record.failure.value for record in effects.rejected))
        for topic, count in effects.late.items():
            metrics.late_events(topic, count)
        metrics.duplicate_events(effects.duplicates)
        metrics.closed_sessions(len(effects.closed))
        metrics.expired_histories(effects.expired)
        self.progress.advanced(work.records)
        self.tally.add(work)
