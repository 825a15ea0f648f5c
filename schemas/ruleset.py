"""A ruleset as a risk team writes it. Times are ISO 8601, UTC where they name no zone; durations are like `24h`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.outputs import Action, Technique

MAX_RULES = 10_000

Identifier = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Code = Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9_]{0,63}$", description="Stable, for programs.")]
ListName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]
Points = Annotated[float, Meta(ge=-100, le=100)]
Text = Annotated[str, Meta(max_length=500)]
Mode = Literal["live", "shadow", "off"]
RuleSubject = Literal["order", "session"]
ListKind = Literal["allow", "block", "watch", "named"]


class Rule(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Points, and perhaps an action, for every order that a condition holds for; `on: session`, an alert and perhaps an
    action for every session in which it holds at some click.

    In mode `shadow` its hits are reported and do not count; `off` it is only checked. `max_share` overrides the
    ruleset's guard for this rule.
    """

    id: Identifier
    when: str
    reason: Code
    text: Text
    owner: Text
    version: Identifier = "1"
    mode: Mode = "live"
    on: RuleSubject = "order"
    score: Points = 0.0
    action: Action | None = None
    expires: str | None = None
    technique: Technique | None = None
    max_share: Annotated[float, Meta(gt=0, le=1)] | None = None


class Entry(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One entry of a list, and until when it counts."""

    value: Annotated[str, Meta(min_length=1)]
    until: str | None = None


class ValueList(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Values that rules look up with `in @name`.

    With a `kind` other than `named` it also acts by itself on every order whose `field` is listed: `allow` lets it
    pass, `block` blocks it, `watch` has it looked at. Entries stand here or in `file`, one a line: the value, and after
    a tab until when it counts. `score` are its points: by itself +100 of a block list, -100 of an allow list.
    """

    name: ListName
    kind: ListKind = "named"
    field: str | None = None
    entries: list[str | Entry] = []
    file: str | None = None
    score: Points | None = None
    reason: Code | None = None
    text: Text | None = None


class Thresholds(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The score from which on each action is taken; a missing one never is."""

    warn: float | None = None
    verify: float | None = None
    review: float | None = None
    block: float | None = None
    freeze: float | None = None


class Policy(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a score leads to, for the orders that `when` holds for; of several policies the first that fits counts.

    `watch` is the score from which on the model's reasons are given; `not_assessed` what is done where the model gave
    no score; `expires_after` how long a decision holds.
    """

    id: Identifier
    thresholds: Thresholds
    when: str | None = None
    watch: float = 40.0
    not_assessed: Action = "review"
    expires_after: str | None = None


class Snooze(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rule that does not count for one subject for a while: orders, or clicks, whose `field` has that `value`."""

    rule: Identifier
    field: str
    value: str
    until: str
    note: Text | None = None


class Guard(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Of how many orders (or sessions) in a row, in a partition, a rule may fire for which share before it is put in
    shadow."""

    max_share: Annotated[float, Meta(gt=0, le=1)] = 0.2
    orders: Annotated[int, Meta(ge=10, le=1_000_000)] = 1_000


class Alerting(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """From which action on an order raises an alert, the window that alerts are grouped in, and how many may be raised
    in a window and partition, about orders and about sessions."""

    from_action: Action = "block"
    window: str = "1h"
    most: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_000


class Ruleset(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Everything that decides what a score leads to."""

    id: Identifier
    version: Identifier
    policies: Annotated[list[Policy], Meta(min_length=1, max_length=100)]
    rules: Annotated[list[Rule], Meta(max_length=MAX_RULES)] = []
    lists: Annotated[list[ValueList], Meta(max_length=1_000)] = []
    snoozes: Annotated[list[Snooze], Meta(max_length=10_000)] = []
    guard: Guard = Guard()
    alerts: Alerting = Alerting()
    description: str | None = None
