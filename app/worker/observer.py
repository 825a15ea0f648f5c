"""What a worker says of itself: metrics, progress and the tally, told once per step."""

from collections import Counter, defaultdict

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
        self._model_seconds: defaultdict[str, float] = defaultdict(float)

    def model_called(self, model: str, version: str, rows: int, seconds: float) -> None:
        """A version of a model was called in the step that is being computed."""
        self._model_seconds[model] += seconds

    def stepped(self, work: Work, seconds: float) -> None:
        """A step was computed in ``seconds``; nothing of it is durable yet."""
        self.metrics.stage("compute", seconds)
        for model, spent in self._model_seconds.items():
            self.metrics.model(model, spent)
        self._model_seconds.clear()
        for partition in work.enforced:
            self.metrics.enforced_alignments(partition)

    def durable(self, work: Work, computing: float, delivering: float) -> None:
        """Everything of a step is durable, so many seconds after it was begun and was computed."""
        effects, metrics = work.effects, self.metrics
        metrics.batch(work.records, computing + delivering)
        metrics.stage("deliver", delivering)
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
        metrics.reread_events(effects.reread)
        metrics.closed_sessions(len(effects.closed))
        metrics.expired_histories(effects.expired)
        self.progress.advanced(work.records)
        self.tally.add(work)
