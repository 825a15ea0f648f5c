"""The demo's figures under their fixed names."""

from typing import Any

from app.demo.outcome import PURCHASE_THRESHOLD, STOPPING, Caught
from app.demo.run import Ended


def figures(ended: Ended) -> dict[str, Any]:
    """What `sluice demo --json` prints: seconds run from the first event's append to the last output's."""
    played, found = ended.played, ended.outcome
    events = sum(played.sent.values())
    seconds = (max(found.answered.values()) - min(found.appended.values())) / 1000 if found.answered else 0.0
    caught = found.caught(played.truth)
    return {
        "events_in": events,
        "outputs": dict(sorted(found.outputs.items())),
        "dead_letters": dict(sorted(found.dead_letters.items())),
        "seconds": round(seconds, 3),
        "events_per_second": round(events / seconds) if seconds > 0 else 0,
        "latency_ms": found.latency([*played.truth.purchase_later, *played.truth.fraud]),
        "truth": {
            "purchase": _scores(caught["purchase"]) | {"threshold": PURCHASE_THRESHOLD},
            "fraud": _scores(caught["fraud"]) | {"decisions": sorted(STOPPING)},
        },
    }


def _scores(caught: Caught) -> dict[str, Any]:
    return {"precision": caught.precision, "recall": caught.recall, "cases": caught.cases, "true": caught.true}
