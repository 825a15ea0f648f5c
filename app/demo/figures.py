"""The demo's figures under their fixed names."""

from collections import Counter
from typing import Any

from app.demo.outcome import PURCHASE_THRESHOLD, STOPPING, Caught
from app.demo.run import Ended
from schemas.outputs import ACTIONS


def figures(ended: Ended) -> dict[str, Any]:
    """What `sluice demo --json` prints: seconds run from the first event's append to the last output's."""
    played, found, truth = ended.played, ended.outcome, ended.played.truth
    events = sum(played.sent.values())
    seconds = (max(found.answered.values()) - min(found.appended.values())) / 1000 if found.answered else 0.0
    caught, actions = found.caught(truth), Counter(found.actions.values())
    return {
        "events_in": events,
        "outputs": dict(sorted(found.outputs.items())),
        "dead_letters": dict(sorted(found.dead_letters.items())),
        "seconds": round(seconds, 3),
        "events_per_second": round(events / seconds) if seconds > 0 else 0,
        "latency_ms": {"clicks": found.latency(truth.purchase_later), "orders": found.latency(truth.fraud)},
        "ruleset": found.ruleset,
        "actions": {action: actions[action] for action in ACTIONS},
        "rules": {rule: _met(met) for rule, met in found.by_rule(truth).items()},
        "alerts": dict(found.alerts.most_common()),
        "truth": {
            "purchase": _scores(caught["purchase"]) | {"threshold": PURCHASE_THRESHOLD},
            "fraud": _scores(caught["fraud"]) | {"decisions": sorted(STOPPING)},
            "scraping": _scores(caught["scraping"]),
        },
        "patterns": {
            pattern: {"orders": one.true, "recall": one.recall} for pattern, one in found.by_pattern(truth).items()
        },
    }


def _scores(caught: Caught) -> dict[str, Any]:
    return {"precision": caught.precision, "recall": caught.recall, "cases": caught.cases, "true": caught.true}


def _met(caught: Caught) -> dict[str, Any]:
    return {"orders": caught.flagged, "precision": caught.precision}
