"""First orders of accounts: the rings that rules over velocities find, and what can be said of the others by time.

Rules and models see an order as it was known at its time. The truth about rings looks at the whole month.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.cli.errors import UsageProblem
from app.evaluation.files import Wanted, behind
from app.models.runtime import load_risk
from app.replay.adapters.fraud_ecommerce import FRAUD_ECOMMERCE, LABEL_DELAY_MS
from app.rules.compiling import compile_ruleset
from app.state.columns import Lifetimes
from app.training.baselines import boosted, logistic
from app.training.figures import binary_figures
from app.training.first_order_sets import FirstOrders, Flags, read_first_orders
from app.training.scaling import fit_scaling
from app.training.sources import FIRST_ORDERS, LEARN, MEASURE
from app.velocity.definitions import Velocity
from schemas.ruleset import Policy, Rule, Ruleset, Thresholds

PUBLISHED: Final = {
    "afd_tfi": {"auc": 0.636},
    "autogluon": {"auc": 0.522},
    "afd_ofi": {"auc": 0.519},
    "h2o": {"auc": 0.518},
    "auto_sklearn": {"auc": 0.515},
}
"""Grover et al., Fraud Dataset Benchmark (arXiv:2208.14417), by time, over the whole of which this set is a third."""

RING_RULE: Final = "device_users_24h >= 2"
RULES: Final = {
    "shared_device": RING_RULE,
    "bought_at_sign_up": "account_age_seconds < 1min",
    "either": f"{RING_RULE} or account_age_seconds < 1min",
}
_BOOK: Final = compile_ruleset(
    Ruleset(
        id="rings",
        version="1",
        policies=[Policy("default", Thresholds())],
        rules=[Rule(name, when, name.upper(), "", "risk", mode="shadow") for name, when in RULES.items()],
    )
)
DEFINITION: Final = "a fraud of January whose device has another account's fraud of January"

_JANUARY: Final = datetime(2015, 1, 1, tzinfo=UTC), datetime(2015, 2, 1, tzinfo=UTC)
_HELD_OUT: Final = 0.2
_SEED: Final = 20_260_101

Figures = dict[str, Any]


def figures_of(wanted: Wanted, lifetimes: Lifetimes) -> Figures:
    """Rings of January found, and the figures of trees and baselines on later orders and on accounts held out.

    Raises:
        UsageProblem: the model, the set or the file is not there, or nothing in it can be measured.
    """
    model = load_risk(wanted.repository, wanted.model, wanted.version)
    more = model.inputs.velocities
    if wanted.data is None:
        orders = read_first_orders(FIRST_ORDERS.path(wanted.sets), lifetimes, _BOOK, more)
        part = FIRST_ORDERS.split.parts(orders.ts)
        learn, measure = part == LEARN, part == MEASURE
    else:
        orders, start = _of_file(wanted.data, wanted.history or _own(wanted.sets), lifetimes, more)
        learn, measure = orders.ts < start - LABEL_DELAY_MS, orders.ts >= start
    if not _both(orders.fraud[measure]):
        raise UsageProblem(
            f"the {int(measure.sum())} orders to measure are all alike; name a file with frauds and others"
        )
    guesses = _guesses(orders, learn, measure) | {
        f"{model.name}/{model.version}": model.score(orders.given(model.inputs)[measure]).probability
    }
    held_out = np.random.default_rng(_SEED).random(len(orders.ts)) < _HELD_OUT
    return {
        "rows": int(measure.sum()),
        "rings": rings(orders),
        "by_time": _compared(orders, measure, guesses) | {"published": PUBLISHED},
        "accounts_held_out": _compared(orders, held_out, _guesses(orders, ~held_out, held_out)),
    }


def rings(orders: FirstOrders) -> Figures:
    """How right rules are about January's ring orders: order by order, and by the devices that they call."""
    january = (orders.ts >= _ms(_JANUARY[0])) & (orders.ts < _ms(_JANUARY[1]))
    truth = ring_orders(orders, january)
    met = {name: orders.met[name] & january for name in RULES}
    called = np.isin(orders.device, orders.device[met["shared_device"]])
    devices, true_devices = np.unique(orders.device[called]), np.unique(orders.device[truth])
    both = len(np.intersect1d(devices, true_devices))
    return {
        "ring_order": DEFINITION,
        "orders": int(january.sum()),
        "ring_orders": int(truth.sum()),
        "rings": len(true_devices),
        "at_the_order": {name: {"when": RULES[name], **_right(flags, truth)} for name, flags in met.items()},
        "once_the_ring_is_found": {
            "when": RING_RULE,
            **_right(called & january, truth),
            "rings": {
                "found": len(devices),
                "precision": _share(both, len(devices)),
                "recall": _share(both, len(true_devices)),
            },
        },
    }


def ring_orders(orders: FirstOrders, among: Flags) -> Flags:
    """The ring orders [n] ``among`` these: frauds whose device has another account's fraud among them."""
    frauds = orders.fraud & among
    accounts = np.bincount(orders.device[frauds], minlength=int(orders.device.max(initial=0)) + 1)
    return np.asarray(frauds & (accounts[orders.device] > 1))


def _right(flagged: Flags, truth: Flags) -> Figures:
    right = int((flagged & truth).sum())
    return {
        "orders": int(flagged.sum()),
        "precision": _share(right, int(flagged.sum())),
        "recall": _share(right, int(truth.sum())),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _guesses(orders: FirstOrders, learn: Flags, measure: Flags) -> dict[str, NDArray[np.floating[Any]]]:
    """Probabilities of those to ``measure`` by what learned from the others; nothing without any to learn from."""
    if not _both(orders.fraud[learn]):
        return {}
    inputs, fraud = orders.inputs, orders.fraud[learn]
    scaling = fit_scaling(inputs[learn], np.ones(int(learn.sum())))
    return {
        "trees": boosted(inputs[learn], fraud, inputs[measure], _SEED),
        "logistic": logistic(scaling.apply(inputs[learn]), fraud, scaling.apply(inputs[measure])),
        "prior": np.full(int(measure.sum()), fraud.mean()),
    }


def _compared(orders: FirstOrders, measure: Flags, guesses: dict[str, NDArray[np.floating[Any]]]) -> Figures:
    truth = orders.fraud[measure]
    return {name: binary_figures(truth, guess) for name, guess in guesses.items()}


def _both(fraud: Flags) -> bool:
    return bool(fraud.any() and not fraud.all())


def _own(sets: Path) -> Path | None:
    path = sets / FIRST_ORDERS.file
    return path if path.is_file() else None


def _of_file(
    data: Path, history: Path | None, lifetimes: Lifetimes, more: Sequence[Velocity]
) -> tuple[FirstOrders, int]:
    with behind(data, history, FRAUD_ECOMMERCE, "purchase_time") as (path, start):
        return read_first_orders(path, lifetimes, _BOOK, more), _ms(start)


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)
