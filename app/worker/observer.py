"""What a worker says of itself: metrics, progress and the tally, told once per step."""

from collections import Counter, defaultdict
from typing import Protocol

from app.effects import Effects
from app.ops.metrics import Metrics
from app.ops.progress import Progress
from app.pipeline import Work
from app.tally import Tally


class Registry(Protocol):
    """What is told of the models' versions; see ``app.registry.registry.ModelRegistry``."""

    async def ready(self) -> None:
        """Until what was in force at the start is in force here."""

    def called(self, name: str, version: str, rows: int, seconds: float) -> None:
        """A version was asked to score so many rows, which took so long."""

    def stepped(self, effects: Effects) -> None:
        """A step was computed, and the next is not yet."""

    def step_failed(self) -> None:
        """A step raised, after which the worker ends."""

    def look(self) -> None:
        """Tell the metrics what is in force."""


class NoRegistry:
    """Where models stay what they are."""

    async def ready(self) -> None:
        """See ``Registry``."""

    def called(self, name: str, version: str, rows: int, seconds: float) -> None:
        """See ``Registry``."""

    def stepped(self, effects: Effects) -> None:
        """See ``Registry``."""

    def step_failed(self) -> None:
        """See ``Registry``."""

    def look(self) -> None:
        """See ``Registry``."""


class Observer:
    """Passes on what happens to steps."""

    def __init__(self, metrics: Metrics, progress: Progress, tally: Tally) -> None:
        self.metrics = metrics
        self.progress = progress
        self.tally = tally
        self.registry: Registry = NoRegistry()
        """Set by whoever runs one."""
        self._model_seconds: defaultdict[str, float] = defaultdict(float)

    def model_called(self, model: str, version: str, rows: int, seconds: float) -> None:
        """A version of a model was called in the step that is being computed."""
        self._model_seconds[model] += seconds
        self.registry.called(model, version, rows, seconds)

    def stepped(self, work: Work, seconds: float) -> None:
        """A step was computed in ``seconds``; nothing of it is durable yet."""
        self.metrics.stage("compute", seconds)
        for model, spent in self._model_seconds.items():
            self.metrics.model(model, spent)
        self._model_seconds.clear()
        self.registry.stepped(work.effects)
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
        for drift in effects.drift:
            psi = drift.window.psi
            by_name = dict(zip(drift.window.names, psi.tolist(), strict=True))
            metrics.drift(drift.model, by_name, int((psi > drift.max_psi).sum()))
        verdicts = [verdict for orders in effects.orders for verdict in orders.verdicts]
        hits = Counter((hit.id, str(hit.mode)) for verdict in verdicts for hit in verdict.hits)
        joined = [orders.joined for orders in effects.orders if orders.joined is not None]
        metrics.velocity_partial(sum(int(told.partial.sum()) for told in joined))
        hits.update((one.hit.id, str(one.hit.mode)) for one in effects.met)
        actions = Counter[str](verdict.action for verdict in verdicts)
        actions.update(one.action for one in effects.met if one.action)
        metrics.decisions(actions, hits)
        self.progress.advanced(work.records)
        self.tally.add(work)
