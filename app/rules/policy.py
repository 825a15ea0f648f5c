"""What a score leads to where no ruleset is in force, the bands of a score, and the ids of decisions."""

from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from app.rules.compiling import compile_ruleset
from schemas.outputs import ELEVATED_FROM, HIGHEST_FROM, RiskLevel
from schemas.ruleset import Policy, Ruleset, Thresholds

POLICY: Final = "risk-level-1"
LIFT_POLICY: Final = "lift"
BUILT_IN: Final = compile_ruleset(
    Ruleset(
        id="built-in",
        version="1",
        policies=[Policy(id=POLICY, thresholds=Thresholds(review=ELEVATED_FROM, block=HIGHEST_FROM), watch=0)],
    )
)
"""No rules: the model's score decides alone, and what could not be judged is looked at."""

_NAMESPACE: Final = uuid5(NAMESPACE_URL, "https://sluice.dev/decisions")


def risk_level(score: int | None) -> RiskLevel:
    """The band of a risk score of 0–100; None means that the order could not be assessed."""
    if score is None:
        return "not_assessed"
    if score >= HIGHEST_FROM:
        return "highest"
    return "elevated" if score >= ELEVATED_FROM else "normal"


def decision_id(source_event_id: str, policy: str = POLICY) -> UUID:
    """UUIDv5 (RFC 9562) of the source event and the policy: the same decision however often it is made."""
    return uuid5(_NAMESPACE, f"{policy}:{source_event_id}")
