"""Metrics: declared once, with unit and meaning, and documented."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from app.ops.catalogue import CATALOGUE, UNITS
from app.ops.metrics import DOCUMENT, Metrics, document
from schemas.control import Comparison

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def test_every_metric_has_a_unit_and_a_meaning() -> None:
    for metric in CATALOGUE:
        assert metric.name.startswith("sluice_")
        assert metric.name.endswith(UNITS), metric.name
        assert (metric.kind == "counter") == metric.name.endswith("_total"), metric.name
        assert metric.meaning.endswith("."), metric.name
        assert (metric.kind == "histogram") == bool(metric.buckets), metric.name


def test_every_metric_is_declared_once() -> None:
    names = [metric.name for metric in CATALOGUE]
    assert len(names) == len(set(names)) > 20


def test_the_page_is_made_from_the_catalogue() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "renew it with `python -m app.ops.metrics`"
    assert all(f"`{metric.name}`" in document() for metric in CATALOGUE)


def report_everything(metrics: Metrics) -> None:
    metrics.batch(records=100, seconds=0.02)
    metrics.events("clickstream", 90)
    metrics.outputs({"intent-events": 88, "risk-events": 10})
    metrics.dead_letters({"malformed_json": 2})
    metrics.late_events("clickstream", 3)
    metrics.duplicate_events(4)
    metrics.reread_events(5)
    metrics.unknown_fields("orders", 5)
    metrics.closed_sessions(6)
    metrics.expired_histories(7)
    metrics.ruleset("accepted")
    metrics.decisions({"allow": 3}, {("dear", "live"): 2})
    metrics.stage("compute", 0.001)
    metrics.model("intent", seconds=0.0004)
    metrics.drift("intent", {"price": 0.3, "score": 0.01}, drifted=1)
    metrics.lag("clickstream", 0, 12)
    metrics.watermark(0, event_ms=1_700_000_000_500, now_ms=1_700_000_002_500)
    metrics.in_flight(13)
    metrics.buffered("orders", 14)
    metrics.enforced_alignments(0)
    metrics.committed(True)
    metrics.committed(False)
    metrics.stalled()
    metrics.live_sessions(0, 15)
    metrics.state("sessions", 0, rows=16, size_bytes=17_000)
    metrics.recovered(0, rows=18, seconds=1.5)
    metrics.store_rebuilt("ahead")
    metrics.models({"intent": {"serving": "1", "shadow": "2"}})
    metrics.model_swapped("intent")
    metrics.model_refused("intent")
    metrics.model_rolled_back("intent", "serving", "latency")
    metrics.control_unreadable()
    metrics.velocities(asks=20, answers=21, late=22)
    metrics.velocity_partial(23)
    metrics.velocity_unreadable()
    metrics.velocity_restarted()
    metrics.velocity_waiting(24)
    metrics.velocity_entities({"card": (25, 26)})
    metrics.velocity_recovered(0, rows=27, seconds=2.5)
    metrics.trials({"intent": [Comparison("2", "shadow", 19, 1, 0.02, shift=0.1, agreement=0.9, latency=1.5)]})


def test_every_declared_metric_can_be_reported(metrics: Metrics) -> None:
    report_everything(metrics)
    text = generate_latest(metrics.registry).decode()
    for metric in CATALOGUE:
        sample = metric.name + ("_count" if metric.kind == "histogram" else "")
        assert re.search(rf"^{sample}(\{{[^}}]*\}})? (?!0\.0$)", text, re.MULTILINE), metric.name


def test_values_are_in_base_units(metrics: Metrics) -> None:
    report_everything(metrics)
    sample = metrics.registry.get_sample_value
    assert sample("sluice_events_total", {"topic": "clickstream"}) == 90
    assert sample("sluice_outputs_total", {"topic": "risk-events"}) == 10
    assert sample("sluice_dead_letters_total", {"failure_type": "malformed_json"}) == 2
    assert sample("sluice_watermark_timestamp_seconds", {"partition": "0"}) == 1_700_000_000.5
    assert sample("sluice_watermark_lag_seconds", {"partition": "0"}) == 2.0
    assert sample("sluice_batch_seconds_sum") == 0.02
    assert sample("sluice_state_bytes", {"table": "sessions", "partition": "0"}) == 17_000


def test_a_partition_given_away_leaves_no_gauge_behind(metrics: Metrics) -> None:
    for partition in (0, 1):
        metrics.lag("clickstream", partition, 12)
        metrics.state("sessions", partition, rows=1, size_bytes=1)
    metrics.enforced_alignments(0)
    metrics.forget(0)
    sample = metrics.registry.get_sample_value
    assert sample("sluice_lag_records", {"topic": "clickstream", "partition": "0"}) is None
    assert sample("sluice_state_rows", {"table": "sessions", "partition": "0"}) is None
    assert sample("sluice_lag_records", {"topic": "clickstream", "partition": "1"}) == 12
    assert sample("sluice_enforced_alignments_total", {"partition": "0"}) == 1


def test_two_workers_in_one_process_do_not_share_metrics(metrics: Metrics) -> None:
    other = Metrics(CollectorRegistry())
    metrics.committed(True)
    assert metrics.registry.get_sample_value("sluice_commits_total") == 1
    assert other.registry.get_sample_value("sluice_commits_total") == 0


@pytest.mark.parametrize("name", ["alerts.yml", "grafana.json"])
def test_alerts_and_dashboard_use_metrics_that_exist(name: str) -> None:
    used = set(re.findall(r"\bsluice_[a-z_]+", (DEPLOY / name).read_text(encoding="utf-8")))
    declared = {
        metric.name + ending
        for metric in CATALOGUE
        for ending in (("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",))
    }
    assert used
    assert used <= declared
