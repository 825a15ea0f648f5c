"""Every metric of a worker, declared once: name, unit (the name's last word) and meaning."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
# Prometheus' base units (prometheus.io/docs/practices/naming) and the things a worker counts.
UNITS = ("_total", "_seconds", "_bytes", "_records", "_rows", "_sessions", "_ratio", "_info")

Stage = Literal["compute", "deliver"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family. ``buckets`` are a histogram's upper bounds, in the metric's unit."""

    kind: Kind
    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_COUNTS = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0)

# What goes through.
EVENTS = Metric("counter", "sluice_events_total", "Input records taken from the topic, bad ones too.", ("topic",))
OUTPUTS = Metric("counter", "sluice_outputs_total", "Output records made durable in the topic.", ("topic",))
DEAD_LETTERS = Metric("counter", "sluice_dead_letters_total", "Records sent to dead-letter, by why.", ("failure_type",))
LATE_EVENTS = Metric("counter", "sluice_late_events_total", "Events later than the grace.", ("topic",))
DUPLICATE_EVENTS = Metric(
    "counter",
    "sluice_duplicate_events_total",
    "Events whose event_id the session had seen: not scored again.",
)
REREAD_EVENTS = Metric(
    "counter", "sluice_reread_events_total", "Events read again after a crash that their user's row included: left out."
)
UNKNOWN_FIELDS = Metric(
    "counter",
    "sluice_unknown_fields_total",
    "Fields no contract names, in the first event of each fetch and every 128th after it.",
    ("topic",),
)
CLOSED_SESSIONS = Metric("counter", "sluice_closed_sessions_total", "Sessions ended by their gap.")
EXPIRED_HISTORIES = Metric(
    "counter", "sluice_expired_histories_total", "Users' histories dropped after their time to live."
)

# How long it takes.
BATCH_RECORDS = Metric("histogram", "sluice_batch_records", "Input records of one batch.", (), _COUNTS)
BATCH_SECONDS = Metric(
    "histogram", "sluice_batch_seconds", "Wall time of one batch, until it is durable.", (), _SECONDS
)
STAGE_SECONDS = Metric("histogram", "sluice_stage_seconds", "Wall time of one stage of a batch.", ("stage",), _SECONDS)
MODEL_SECONDS = Metric(
    "histogram", "sluice_model_seconds", "Wall time in the model, of one batch.", ("model",), _SECONDS
)

# Versions of models.
MODEL_VERSION = Metric(
    "gauge", "sluice_model_version_info", "Always 1: this version is in force.", ("model", "version", "role")
)
MODEL_SWAPS = Metric("counter", "sluice_model_swaps_total", "Times another version took over.", ("model",))
MODEL_REFUSALS = Metric("counter", "sluice_model_refusals_total", "Versions that did not pass.", ("model",))
MODEL_ROLLBACKS = Metric(
    "counter",
    "sluice_model_rollbacks_total",
    "Versions that were taken out of force by themselves, by why.",
    ("model", "role", "reason"),
)
UNREADABLE_CONTROLS = Metric(
    "counter", "sluice_unreadable_controls_total", "Control records that did not parse: left out."
)
_TRIAL = ("model", "version", "role")
TRIAL_EVENTS = Metric("gauge", "sluice_trial_records", "Scores of a version on trial since it began.", _TRIAL)
TRIAL_FAILURES = Metric(
    "gauge", "sluice_trial_failed_records", "Scores of a version on trial that were no finite numbers.", _TRIAL
)
TRIAL_DIFFERENCE = Metric(
    "gauge",
    "sluice_trial_difference_ratio",
    "Mean absolute difference of a shadow's scores from those published; of a canary, of the means.",
    _TRIAL,
)
TRIAL_AGREEMENT = Metric(
    "gauge", "sluice_trial_agreement_ratio", "Share of clicks of which a shadow names the same intent.", _TRIAL
)
TRIAL_SHIFT = Metric(
    "gauge", "sluice_trial_shift_ratio", "PSI of the scores of a version on trial against those beside it.", _TRIAL
)
TRIAL_SLOWDOWN = Metric(
    "gauge", "sluice_trial_slowdown_ratio", "Model time of a version on trial over that of the serving one.", _TRIAL
)
DRIFT = Metric(
    "gauge",
    "sluice_drift_ratio",
    "PSI of an input or the scores in the last window, against training; of texts against the window before.",
    ("model", "input"),
)
DRIFT_ALERTS = Metric("counter", "sluice_drift_alerts_total", "Inputs and scores found drifted.", ("model",))

# Rules.
RULESETS = Metric("counter", "sluice_rulesets_total", "Rulesets that arrived, accepted or refused.", ("outcome",))
RULE_HITS = Metric(
    "counter", "sluice_rule_hits_total", "Orders and sessions that met a rule, by its mode.", ("rule", "mode")
)
DECISIONS = Metric(
    "counter", "sluice_decisions_total", "Orders and sessions decided on, by what is to be done.", ("action",)
)

# Where it stands.
LAG = Metric("gauge", "sluice_lag_records", "Records between committed and end offset.", ("topic", "partition"))
WATERMARK = Metric(
    "gauge", "sluice_watermark_timestamp_seconds", "Event time reached, since the epoch.", ("partition",)
)
WATERMARK_LAG = Metric("gauge", "sluice_watermark_lag_seconds", "Wall clock less the watermark.", ("partition",))
IN_FLIGHT = Metric("gauge", "sluice_in_flight_records", "Input records taken and not yet committed.")
BUFFERED = Metric("gauge", "sluice_buffered_records", "Input records that wait for alignment.", ("topic",))
ENFORCED_ALIGNMENTS = Metric(
    "counter",
    "sluice_enforced_alignments_total",
    "Times alignment stopped waiting for an idle topic (Kafka Streams: enforced-processing).",
    ("partition",),
)
COMMITS = Metric("counter", "sluice_commits_total", "Commits of input offsets that succeeded.")
FAILED_COMMITS = Metric("counter", "sluice_failed_commits_total", "Commits of input offsets that failed.")
STALLS = Metric("counter", "sluice_watchdog_stalls_total", "Times the watchdog found lag without progress.")

# State.
LIVE_SESSIONS = Metric("gauge", "sluice_live_sessions", "Sessions that are open.", ("partition",))
STATE_ROWS = Metric("gauge", "sluice_state_rows", "Rows of the table.", ("table", "partition"))
STATE_BYTES = Metric("gauge", "sluice_state_bytes", "Memory of the table's columns.", ("table", "partition"))
RECOVERED_ROWS = Metric("counter", "sluice_recovered_rows_total", "Changelog records applied in recovery.")
RECOVERY_SECONDS = Metric(
    "gauge", "sluice_recovery_seconds", "Wall time of the partition's last recovery.", ("partition",)
)
REBUILT_STORES = Metric(
    "counter",
    "sluice_rebuilt_stores_total",
    "Local stores wiped and rebuilt from the changelog, by why.",
    ("reason",),
)

# Velocities.
VELOCITY_ASKS = Metric(
    "counter", "sluice_velocity_asks_total", "Orders whose entities were asked about, each once for all of them."
)
VELOCITY_ANSWERS = Metric(
    "counter", "sluice_velocity_answers_total", "Orders answered by an owner of entities, each once for every owner."
)
VELOCITY_LATE = Metric(
    "counter", "sluice_velocity_late_total", "Asks and labels taken in after something later of the owner was answered."
)
VELOCITY_PARTIAL = Metric(
    "counter", "sluice_velocity_partial_total", "Orders that went on at their deadline, without some answers."
)
VELOCITY_UNREADABLE = Metric(
    "counter", "sluice_velocity_unreadable_total", "Messages of another layout, or damaged: left out."
)
VELOCITY_RESTARTS = Metric(
    "counter", "sluice_velocity_restarts_total", "Times the broker failed the fan-out, which then began anew."
)
VELOCITY_WAITING = Metric("gauge", "sluice_velocity_waiting_records", "Orders that wait for answers.")
VELOCITY_ENTITIES = Metric("gauge", "sluice_velocity_entity_rows", "Entities with orders, by kind.", ("entity",))
VELOCITY_ENTRIES = Metric("gauge", "sluice_velocity_entry_rows", "Orders in the logs of entities.", ("entity",))
VELOCITY_RECOVERED = Metric(
    "counter", "sluice_velocity_recovered_rows_total", "Asks and labels read again when a partition was taken over."
)
VELOCITY_RECOVERY_SECONDS = Metric(
    "gauge", "sluice_velocity_recovery_seconds", "Wall time of the partition's last recovery.", ("partition",)
)

CATALOGUE: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
