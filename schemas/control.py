"""What workers are told of their models, and what they answer: the values of the control topics.

Each is the whole state of its key, never a difference: whoever reads the latest record knows what is in force.
"""

from typing import Annotated

from msgspec import Meta, Struct

from schemas.events import Id
from schemas.ruleset import Entry, Ruleset

Share = Annotated[float, Meta(ge=0, le=1)]


class ModelControl(Struct, frozen=True, gc=False, omit_defaults=True):
    """Which versions of a model are in force, on topic `model-control`.

    `serving` is absent where the workers' settings decide. `previous` is what a rollback returns to.
    """

    name: Id
    revision: Annotated[int, Meta(ge=1, description="Counts the records of this model.")]
    changed_at: Annotated[int, Meta(description="ms since the epoch.")]
    reason: Annotated[str, Meta(description="Who or what changed it last, and why.")]
    serving: Id | None = None
    previous: Id | None = None
    shadow: Id | None = None
    canary: Id | None = None
    canary_share: Annotated[Share, Meta(description="Share of the users that the canary scores.")] = 0.0


class Refusal(Struct, frozen=True, gc=False):
    """A version that a worker does not run, and why."""

    version: Id
    reason: str


class Comparison(Struct, frozen=True, gc=False, omit_defaults=True):
    """A version on trial beside the one that serves, since the trial began on that worker.

    `difference` is the mean absolute difference of the scores (for a canary, of the two groups' mean scores),
    `agreement` the share of clicks with the same intent.
    """

    version: Id
    role: str
    events: int
    failures: Annotated[int, Meta(description="Scores that were not finite.")]
    difference: float
    shift: Annotated[float | None, Meta(description="Population stability index of the scores.")] = None
    agreement: float | None = None
    latency: Annotated[float | None, Meta(description="Model time relative to the serving version's.")] = None


class ModelStatus(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a worker runs of a model, on topic `model-status`."""

    group: Id
    instance: Id
    name: Id
    revision: Annotated[int, Meta(ge=0, description="Of the control record it goes by; 0 where there is none.")]
    serving: Id
    at: Annotated[int, Meta(description="ms since the epoch.")]
    shadow: Id | None = None
    canary: Id | None = None
    canary_share: Share = 0.0
    refused: list[Refusal] = []
    trials: list[Comparison] = []


class RulesetRecord(Struct, frozen=True, gc=False, omit_defaults=True):
    """On topic `rulesets`: under the key `ruleset` the one in force, under others parts of its longer lists.

    `parts` tells under which keys, in order, the entries of a list lie that are not in `ruleset` itself.
    """

    changed_at: Annotated[int, Meta(description="ms since the epoch.")]
    reason: Annotated[str, Meta(description="Who or what put it there, and why.")] = ""
    ruleset: Ruleset | None = None
    parts: Annotated[dict[str, list[str]], Meta(description="Keys by the name of the list.")] = {}
    entries: list[str | Entry] = []


class RulesetStatus(Struct, frozen=True, gc=False, omit_defaults=True):
    """What ruleset a worker goes by, on topic `ruleset-status`; `refused` is the last one it did not take, and why."""

    group: Id
    instance: Id
    version: Id
    at: Annotated[int, Meta(description="ms since the epoch.")]
    refused: Refusal | None = None
