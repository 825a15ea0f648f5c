"""Training rows: recorded events through the very path of production, with the features kept.

No feature is computed here. The models of the replay know nothing and answer with zeros.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.batch import TOPICS
from app.cli.errors import UsageProblem
from app.effects import Effects, ScoredClicks, ScoredOrders
from app.events.align import Aligner
from app.events.decode import Decoder, Rejected
from app.fanout.gate import Gate
from app.fanout.local import LocalFanOut
from app.features.clicks import CLICK_FEATURES
from app.features.inputs import RISK_INPUTS, OrderInputs
from app.models.manifest import ScoreMapping
from app.models.runtime import IntentScores, RiskScores, TurnByTurn
from app.replay.fetches import Fetches
from app.replay.recorded import RecordedBatch
from app.rules.book import RuleBook
from app.rules.policy import BUILT_IN
from app.state.columns import Lifetimes
from app.state.state import State
from app.step import Models, step
from app.velocity.definitions import Velocity
from app.velocity.joined import Joined, put_together
from schemas.outputs import INTENTS

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Progress = Callable[[int], None]

_IS_NEW_SESSION = [feature.name for feature in CLICK_FEATURES].index("is_new_session")
_STEP_RECORDS = 8_192
_MAX_VALUE_BYTES = 1 << 20


@dataclass(frozen=True, eq=False)
class ClickRows:
    """Clicks [n] sorted by user, then by the order they were processed in.

    ``user`` and ``session`` [n] are numbers that rise, a session being the engine's, by its gap; ``type`` [n] is the
    code in `CLICK_TYPES`, ``ts`` and ``started_at`` (of the session) [n] are ms, ``features`` is [n, F].
    """

    user: Ints
    session: Ints
    type: Ints
    ts: Ints
    started_at: Ints
    features: Floats


@dataclass(frozen=True, eq=False)
class OrderRows:
    """Orders [m] in the order of their times: ids, users, times in ms [m], features [m, G], and what the orders were
    told of their entities, None where nobody asked."""

    order_ids: list[str]
    users: list[str]
    ts: Ints
    features: Floats
    joined: Joined | None = None

    def given(self, inputs: OrderInputs) -> Floats:
        """What a model with these ``inputs`` is given of them [m, inputs]."""
        return inputs.of(self.features, self.joined)


def click_rows(recording: Iterable[RecordedBatch], lifetimes: Lifetimes, done: Progress) -> ClickRows:
    """Every click of ``recording`` that the step scores.

    Raises:
        UsageProblem: there is none.
    """
    parts = [clicks for effects in replayed(recording, lifetimes, done) for clicks in effects.clicks]
    if not parts:
        raise UsageProblem("the recording has no clicks; name one that has some")
    return joined_clicks(parts)


def joined_clicks(parts: Sequence[ScoredClicks]) -> ClickRows:
    """The clicks of one or more steps, each user's in the order of processing."""
    users = _numbers(user for part in parts for user in part.users)
    order = np.argsort(users, kind="stable")
    features = np.concatenate([part.features for part in parts])[order]
    return ClickRows(
        user=users[order],
        session=np.cumsum(features[:, _IS_NEW_SESSION] > 0),
        type=np.concatenate([part.type for part in parts])[order],
        ts=np.concatenate([part.ts for part in parts])[order],
        started_at=np.concatenate([part.session_started_at for part in parts])[order],
        features=features,
    )


def order_rows(
    recording: Iterable[RecordedBatch], lifetimes: Lifetimes, done: Progress, velocities: Sequence[Velocity] = ()
) -> OrderRows:
    """Every order of ``recording`` that the step scores, told these ``velocities``.

    Raises:
        UsageProblem: there is none.
    """
    steps = replayed(recording, lifetimes, done, velocities=velocities)
    parts = [orders for effects in steps for orders in effects.orders]
    if not parts:
        raise UsageProblem("the recording has no orders; name one that has some")
    return joined_orders(parts)


def joined_orders(parts: Sequence[ScoredOrders]) -> OrderRows:
    """The orders of one or more steps."""
    ts = np.concatenate([part.ts for part in parts])
    order = np.argsort(ts, kind="stable")
    joined = put_together([part.joined for part in parts if part.joined is not None])
    orders = [order for part in parts for order in part.orders]
    users = [user for part in parts for user in part.users]
    return OrderRows(
        order_ids=[orders[i].order_id for i in order.tolist()],
        users=[users[i] for i in order.tolist()],
        ts=ts[order],
        features=np.concatenate([part.features for part in parts])[order],
        joined=None if joined is None else joined.at(order),
    )


def untrained(rules: RuleBook = BUILT_IN) -> Models:
    """Models that know nothing, and a ruleset."""
    return Models(_UntrainedIntent(), _UntrainedRisk(), rules=rules)


def replayed(
    recording: Iterable[RecordedBatch],
    lifetimes: Lifetimes,
    done: Progress,
    models: Models | None = None,
    velocities: Sequence[Velocity] | None = None,
) -> Iterator[Effects]:
    """The effects of every step, those of the last one without any record where some were rejected after the others;
    ``done`` is told how many events each batch had.

    Without ``models`` they are those that know nothing; without ``velocities`` they are those that these look at.
    """
    state = State.empty(lifetimes)
    fetches, aligner = Fetches(partitions=1), Aligner(0, TOPICS, max_idle=0)
    decoder = Decoder(_MAX_VALUE_BYTES, lambda user, partition: True)
    models = models or untrained()
    wanted = models.velocities if velocities is None else velocities
    fan_out = LocalFanOut(1, wanted)
    gate = Gate(fan_out.joiners, wanted)
    rejected: list[Rejected] = []
    for batch in recording:
        for fetched in fetches.of(batch):
            decoded = decoder.decode(fetched)
            rejected += decoded.rejected
            aligner.add(decoded)
            fan_out.feed(fetched)
        fan_out.exchange()
        while aligned := gate.take(aligner, lambda topic: 0, 0, _STEP_RECORDS):
            fan_out.through({(topic, 0): offset for topic, offset in aligned.next_offsets.items()})
            yield step(state, [aligned], models, rejected)
            rejected = []
        done(len(batch))
    if rejected:
        yield step(state, [], models, rejected)


def _numbers(names: Iterable[str]) -> Ints:
    """A number for each name, in the order of first appearance."""
    known: dict[str, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], np.int64)


class _UntrainedIntent(TurnByTurn):
    name, version, encoder = "untrained", "0", "untrained"

    def score(self, features: Floats, hidden: Floats) -> IntentScores:
        zeros = np.zeros((len(features), len(INTENTS)), np.float32)
        return IntentScores(hidden, zeros, zeros[:, 0])


class _UntrainedRisk:
    name, version = "untrained", "0"
    mapping = ScoreMapping(p_elevated=0.5, p_highest=0.75)
    inputs = RISK_INPUTS

    def score(self, features: Floats) -> RiskScores:
        return RiskScores(np.zeros(len(features), np.float32), np.zeros_like(features))
