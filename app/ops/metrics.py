"""The metrics of a worker, set once per batch; ``python -m app.ops.metrics`` renews ``docs/metrics.md``."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from app.ops import catalogue as c
from schemas.control import Comparison

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "metrics.md"


class Metrics:
    """All metrics of the catalogue, and the process's own, in ``registry``; set per batch, never per event.

    Counts are records unless a parameter's name says otherwise; times are seconds, event times ms.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._counters = {m: _counter(m, registry) for m in c.CATALOGUE if m.kind == "counter"}
        self._gauges = {m: _gauge(m, registry) for m in c.CATALOGUE if m.kind == "gauge"}
        self._histograms = {m: _histogram(m, registry) for m in c.CATALOGUE if m.kind == "histogram"}
        ProcessCollector(registry=registry)

    def batch(self, records: int, seconds: float) -> None:
        """One batch is durable, so long after it was begun."""
        self._histograms[c.BATCH_RECORDS].observe(records)
        self._histograms[c.BATCH_SECONDS].observe(seconds)

    def events(self, topic: str, count: int) -> None:
        """So many records were taken from an input topic."""
        self._add(c.EVENTS, count, topic)

    def outputs(self, counts: Mapping[str, int]) -> None:
        """So many records became durable, by output topic."""
        self._add_all(c.OUTPUTS, counts)

    def dead_letters(self, counts: Mapping[str, int]) -> None:
        """So many records went to the dead-letter topic, by failure type."""
        self._add_all(c.DEAD_LETTERS, counts)

    def late_events(self, topic: str, count: int) -> None:
        """So many events came later than the grace."""
        self._add(c.LATE_EVENTS, count, topic)

    def duplicate_events(self, count: int) -> None:
        """So many events had been seen in their session."""
        self._add(c.DUPLICATE_EVENTS, count)

    def reread_events(self, count: int) -> None:
        """So many events were in their rows already."""
        self._add(c.REREAD_EVENTS, count)

    def unknown_fields(self, topic: str, count: int) -> None:
        """So many unknown fields were in the sampled events."""
        self._add(c.UNKNOWN_FIELDS, count, topic)

    def closed_sessions(self, count: int) -> None:
        """So many sessions ended."""
        self._add(c.CLOSED_SESSIONS, count)

    def expired_histories(self, count: int) -> None:
        """So many users' histories were dropped."""
        self._add(c.EXPIRED_HISTORIES, count)

    def stage(self, stage: c.Stage, seconds: float) -> None:
        """One stage of a batch is done."""
        self._histograms[c.STAGE_SECONDS].labels(stage).observe(seconds)

    def model(self, model: str, seconds: float) -> None:
        """A model took so long for one batch."""
        self._histograms[c.MODEL_SECONDS].labels(model).observe(seconds)

    def models(self, versions: Mapping[str, Mapping[str, str]]) -> None:
        """These versions are in force, by model and role, and no others."""
        self._gauges[c.MODEL_VERSION].clear()
        for model, roles in versions.items():
            for role, version in roles.items():
                self._set(c.MODEL_VERSION, 1, model, version, role)

    def model_swapped(self, model: str) -> None:
        """Another version took over."""
        self._add(c.MODEL_SWAPS, 1, model)

    def model_refused(self, model: str) -> None:
        """A version did not pass."""
        self._add(c.MODEL_REFUSALS, 1, model)

    def model_rolled_back(self, model: str, role: str, reason: str) -> None:
        """A version was taken out of force by itself."""
        self._add(c.MODEL_ROLLBACKS, 1, model, role, reason)

    def control_unreadable(self) -> None:
        """A control record did not parse."""
        self._add(c.UNREADABLE_CONTROLS, 1)

    def trials(self, comparisons: Mapping[str, Sequence[Comparison]]) -> None:
        """How the versions on trial compare, by model; there are no others."""
        for metric in _TRIAL_VALUES:
            self._gauges[metric].clear()
        for model, found in comparisons.items():
            for one in found:
                for metric, value in _TRIAL_VALUES.items():
                    if (known := value(one)) is not None:
                        self._set(metric, known, model, one.version, one.role)

    def drift(self, model: str, psi: Mapping[str, float], drifted: int) -> None:
        """How far a model's inputs and scores are from what they are compared with, and how many of them too far."""
        for name, value in psi.items():
            self._set(c.DRIFT, value, model, name)
        self._add(c.DRIFT_ALERTS, drifted, model)

    def ruleset(self, outcome: Literal["accepted", "refused"]) -> None:
        """A ruleset arrived."""
        self._add(c.RULESETS, 1, outcome)

    def decisions(self, actions: Mapping[str, int], hits: Mapping[tuple[str, str], int]) -> None:
        """So many orders were decided on, by action, and met rules, by rule and mode."""
        self._add_all(c.DECISIONS, actions)
        for (rule, mode), count in hits.items():
            self._add(c.RULE_HITS, count, rule, mode)

    def lag(self, topic: str, partition: int, records: int) -> None:
        """How far the committed offset is behind the end."""
        self._set(c.LAG, records, topic, partition)

    def watermark(self, partition: int, event_ms: int, now_ms: int) -> None:
        """Event time that the partition reached at ``now_ms`` of the wall clock, both since the epoch."""
        self._set(c.WATERMARK, event_ms / 1e3, partition)
        self._set(c.WATERMARK_LAG, (now_ms - event_ms) / 1e3, partition)

    def in_flight(self, records: int) -> None:
        """Records taken and not yet committed."""
        self._gauges[c.IN_FLIGHT].set(records)

    def buffered(self, topic: str, records: int) -> None:
        """Records that wait for the other topics."""
        self._set(c.BUFFERED, records, topic)

    def enforced_alignments(self, partition: int, count: int = 1) -> None:
        """Alignment went on without an idle topic."""
        self._add(c.ENFORCED_ALIGNMENTS, count, partition)

    def committed(self, succeeded: bool) -> None:
        """A commit succeeded or failed."""
        self._add(c.COMMITS if succeeded else c.FAILED_COMMITS, 1)

    def stalled(self) -> None:
        """The watchdog found lag without progress."""
        self._add(c.STALLS, 1)

    def live_sessions(self, partition: int, sessions: int) -> None:
        """Open sessions of a partition."""
        self._set(c.LIVE_SESSIONS, sessions, partition)

    def state(self, table: str, partition: int, rows: int, size_bytes: int) -> None:
        """Size of a partition of a table."""
        self._set(c.STATE_ROWS, rows, table, partition)
        self._set(c.STATE_BYTES, size_bytes, table, partition)

    def recovered(self, partition: int, rows: int, seconds: float) -> None:
        """A partition was recovered from so many changelog records."""
        self._add(c.RECOVERED_ROWS, rows)
        self._set(c.RECOVERY_SECONDS, seconds, partition)

    def store_rebuilt(self, reason: str) -> None:
        """A local store was wiped, to be rebuilt from the changelog."""
        self._add(c.REBUILT_STORES, 1, reason)

    def velocities(self, asks: int, answers: int, late: int) -> None:
        """So many orders were asked about, answered, and taken in late."""
        for metric, count in zip(_VELOCITY_COUNTS, (asks, answers, late), strict=True):
            self._add(metric, count)

    def velocity_partial(self, orders: int) -> None:
        """So many orders were judged at their deadline."""
        self._add(c.VELOCITY_PARTIAL, orders)

    def velocity_unreadable(self) -> None:
        """A message of the fan-out was left out."""
        self._add(c.VELOCITY_UNREADABLE, 1)

    def velocity_restarted(self) -> None:
        """The fan-out begins anew."""
        self._add(c.VELOCITY_RESTARTS, 1)

    def velocity_waiting(self, orders: int) -> None:
        """So many orders wait for answers."""
        self._gauges[c.VELOCITY_WAITING].set(orders)

    def velocity_entities(self, sizes: Mapping[str, tuple[int, int]]) -> None:
        """Entities and entries of their logs, by kind."""
        for entity, (entities, entries) in sizes.items():
            self._set(c.VELOCITY_ENTITIES, entities, entity)
            self._set(c.VELOCITY_ENTRIES, entries, entity)

    def velocity_recovered(self, partition: int, rows: int, seconds: float) -> None:
        """A partition's entities were recovered, from so many asks and labels of the topic beside the snapshot."""
        self._add(c.VELOCITY_RECOVERED, rows)
        self._set(c.VELOCITY_RECOVERY_SECONDS, seconds, partition)

    def forget(self, partition: int) -> None:
        """The partition went to another worker: its gauges end, lest the last value stand for ever."""
        for metric, gauge in self._gauges.items():
            if "partition" in metric.labels:
                gauge.remove_by_labels({"partition": str(partition)})

    def _add(self, metric: c.Metric, count: int, *labels: object) -> None:
        counter = self._counters[metric]
        (counter.labels(*labels) if labels else counter).inc(count)

    def _add_all(self, metric: c.Metric, counts: Mapping[str, int]) -> None:
        for label, count in counts.items():
            self._add(metric, count, label)

    def _set(self, metric: c.Metric, value: float, *labels: object) -> None:
        self._gauges[metric].labels(*labels).set(value)


_VELOCITY_COUNTS = (c.VELOCITY_ASKS, c.VELOCITY_ANSWERS, c.VELOCITY_LATE)

_TRIAL_VALUES: Mapping[c.Metric, Callable[[Comparison], float | None]] = {
    c.TRIAL_EVENTS: lambda trial: trial.events,
    c.TRIAL_FAILURES: lambda trial: trial.failures,
    c.TRIAL_DIFFERENCE: lambda trial: trial.difference,
    c.TRIAL_AGREEMENT: lambda trial: trial.agreement,
    c.TRIAL_SHIFT: lambda trial: trial.shift,
    c.TRIAL_SLOWDOWN: lambda trial: trial.latency,
}


def _counter(metric: c.Metric, registry: CollectorRegistry) -> Counter:
    return Counter(metric.name, metric.meaning, metric.labels, registry=registry)


def _gauge(metric: c.Metric, registry: CollectorRegistry) -> Gauge:
    return Gauge(metric.name, metric.meaning, metric.labels, registry=registry)


def _histogram(metric: c.Metric, registry: CollectorRegistry) -> Histogram:
    return Histogram(metric.name, metric.meaning, metric.labels, buckets=metric.buckets, registry=registry)


def document() -> str:
    """The catalogue as a Markdown page."""
    head = (
        "# Metrics\n\n"
        "Served at `/metrics` of a worker. Made from `app/ops/catalogue.py` by "
        "`python -m app.ops.metrics`.\n\n"
        "| metric | kind | labels | meaning |\n|---|---|---|---|\n"
    )
    return head + "".join(
        f"| `{m.name}` | {m.kind} | {', '.join(f'`{label}`' for label in m.labels) or '–'} | {m.meaning} |\n"
        for m in c.CATALOGUE
    )


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
