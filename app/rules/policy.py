"""The policy: from the risk level of an order to what a blocker must do."""

from typing import Final
from uuid import NAMESPACE_URL, uuid5

from schemas.outputs import ELEVATED_FROM, HIGHEST_FROM, Action, RiskLevel

POLICY: Final = "risk-level-1"
RULESET_VERSION: Final = "0"  # no rules are in force; the model's score decides alone
ALERT_WINDOW_MS: Final = 3_600_000

_ACTIONS: Final[dict[RiskLevel, Action]] = {
    "normal": "allow",
    "elevated": "review",
    "highest": "block",
    "not_assessed": "review",  # what could not be judged is looked at, never waved through
}
_NAMESPACE: Final = uuid5(NAMESPACE_URL, "https://sluice.dev/decisions")


def risk_level(score: int | None) -> RiskLevel:
    """The band of a risk score of 0–100; None means that the order could not be assessed."""
    if score is None:
        return "not_assessed"
    if score >= HIGHEST_FROM:
        return "highest"
    return "elevated" if score >= ELEVATED_FROM else "normal"


def action_for(level: RiskLevel) -> Action:
    """What the policy does at a risk level."""
    return _ACTIONS[level]


def decision_id(source_event_id: str) -> str:
    """UUIDv5 (RFC 9562) of the source event and the policy: the same decision however often it is made."""
    return str(uuid5(_NAMESPACE, f"{POLICY}:{source_event_id}"))
