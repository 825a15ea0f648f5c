"""What is reported of a run, and its verdict."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.torture.killer import PATIENCE_S, Done
from app.torture.memory import Memory
from app.torture.plan import WORKERS, Plan
from app.torture.verdict import Findings


@dataclass
class Ended:
    """How the part under load went.

    Attributes:
        seconds: for which events were sent.
        takeovers: see `app.torture.stopwatch`.
    """

    faults: list[Done]
    ended: list[str]
    stuck: str | None
    unread: int
    memory: Memory
    acknowledged: Counter[str]
    seconds: float = 0.0
    takeovers: dict[str, Any] = field(default_factory=dict)


def figures(plan: Plan, ended: Ended, findings: Findings) -> dict[str, Any]:
    """What is reported."""
    counts = findings.counts
    kills = Counter(done.fault.name for done in ended.faults)
    unreached = Counter(done.fault.name for done in ended.faults if not done.reached)
    sent, read = ended.acknowledged.total(), findings.inputs.total()
    most_repeated = sum(kills.values()) * plan.batch
    is_once = counts.duplicated == 0 if plan.guarantee == "exactly_once" else counts.repeated <= most_repeated
    memory = ended.memory.figures(f"worker-{WORKERS}" if plan.spares_after_s is not None else None)
    checks: dict[str, dict[str, Any]] = {
        "inputs_read_to_the_end": {"passed": ended.stuck is None and ended.unread == 0, "unread": ended.unread},
        "inputs_as_sent": {"passed": sent == read, "sent": sent, "in_the_log": read},
        "outputs_complete": {"passed": counts.lost == 0, "lost": counts.lost},
        "outputs_once": {
            "passed": is_once,
            "duplicated": counts.duplicated,
            "inputs_repeated": counts.repeated,
            "allowed": 0 if plan.guarantee == "exactly_once" else most_repeated,
        },
        "outputs_equal_reference": {"passed": counts.different == 0, "different": counts.different},
        "outputs_in_order": {"passed": counts.reordered == 0, "reordered": counts.reordered},
        "sessions_as_they_say": {"passed": counts.wrong_sessions == 0, "wrong": counts.wrong_sessions},
        "fenced_stay_silent": {"passed": not findings.fences, "faults": len(findings.fences)},
        "state_three_ways": {"passed": not findings.state, "faults": len(findings.state)},
        "recovery_bounded": {"passed": ended.stuck is None, "bound_s": PATIENCE_S},
        "memory_flat": {"passed": memory["is_flat"] is not False, "ratio": memory["ratio"]},
    }
    passed = all(check["passed"] for check in checks.values())
    examples = {kind: found for kind, found in counts.examples.items() if found}
    examples |= {kind: found[:5] for kind, found in (("state", findings.state), ("fences", findings.fences)) if found}
    return {
        "seed": plan.seed,
        "minutes": plan.minutes,
        "guarantee": plan.guarantee,
        "rate": plan.rate,
        "kills": sum(kills.values()),
        "kills_by_kind": dict(sorted(kills.items())),
        "windows_not_reached": dict(unreached),
        "inputs": read,
        "inputs_per_s": round(sent / max(ended.seconds, 1.0)),
        "outputs": dict(sorted(counts.outputs.items())),
        "lost": counts.lost,
        "duplicated": counts.duplicated,
        "reordered": counts.reordered,
        "state_equal": not findings.state,
        "checks": checks,
        "recovery_s": _recovery_s(ended.faults),
        "ended_by_themselves": ended.ended,
        "takeover_s": ended.takeovers,
        "rss_mb": memory,
        "examples": examples,
        "stuck": ended.stuck,
        "verdict": "pass" if passed else "fail",
    }


def _recovery_s(faults: Sequence[Done]) -> dict[str, Any]:
    """Seconds from a fault until every partition was committed further; of the broker's, from its return."""
    found = sorted((done.recovery_s, done.fault.name) for done in faults)
    if not found:
        return {}
    longest = {name: round(seconds, 2) for seconds, name in found}  # the last of each name is its longest
    return {"p50": round(found[len(found) // 2][0], 2), "p100": round(found[-1][0], 2), "longest": longest}
