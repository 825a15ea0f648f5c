"""The proof of exactly once: workers and broker are killed under load, and nothing of it shows in outputs or state.

`sluice torture` is the same for as long as one likes. Each mutation is a fault in the worker that a run must find.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.ops.settings import Guarantee
from app.torture.faults import Fault
from app.torture.plan import Plan
from app.torture.run import torture
from app.torture.victim import BEGUN, DELIVERED, DRAIN, PRODUCED, RECOVERY, WRITTEN

pytestmark = [pytest.mark.broker, pytest.mark.slow]

RATE, MINUTES = 200, 3


def kill(window: str | None, target: int = 0, *, wipes: bool = False, returns: bool = True) -> Fault:
    return Fault("kill", window, wipes, returns, target, settled=True, wait_s=0.5)


def zombie(window: str | None, target: int = 0) -> Fault:
    return Fault("zombie", window, wipes=False, returns=True, target=target, settled=True, wait_s=0.5)


BROKER = Fault("broker", None, wipes=False, returns=True, target=0, settled=True, wait_s=0.5)


def run(faults: Sequence[Fault], *mutation: str, guarantee: Guarantee = "exactly_once") -> dict[str, Any]:
    module = "tests.broker.mutants" if mutation else "app.torture.victim"
    plan = Plan(MINUTES, 1, guarantee, RATE, (sys.executable, "-m", module, *mutation), faults)
    return torture(plan, lambda _: None)


def failed(found: dict[str, Any]) -> str:
    """What a run that should have passed found."""
    checks = {name: check for name, check in found["checks"].items() if not check["passed"]}
    return f"{checks}, {found['examples']}, stuck: {found['stuck']}, logs: {found['logs']}"


def test_nothing_is_lost_repeated_or_reordered_by_kills_zombies_and_a_dead_broker() -> None:
    found = run(
        [kill(PRODUCED), zombie(PRODUCED, 1), kill(DELIVERED, 2, wipes=True), BROKER, kill(RECOVERY), kill(DRAIN)]
    )
    assert found["verdict"] == "pass", failed(found)
    assert (found["kills"], found["windows_not_reached"]) == (6, {})
    assert found["inputs"] > 5_000


def test_at_least_once_nothing_is_lost_or_reordered_and_no_more_repeated_than_a_batch_for_each_kill() -> None:
    found = run([kill(DELIVERED), kill(WRITTEN, 1, wipes=True)], guarantee="at_least_once")
    assert found["verdict"] == "pass", failed(found)
    assert (found["lost"], found["reordered"], found["state_equal"]) == (0, 0, True)


@pytest.mark.parametrize(
    ("mutation", "fault", "red"),
    [
        ("acknowledge_before_delivery", kill(PRODUCED), "outputs_complete"),
        ("drop_the_last_record", kill(None), "outputs_complete"),
        ("a_transactional_id_of_ones_own", zombie(BEGUN), "outputs_once"),
    ],
)
def test_a_fault_of_the_worker_is_found(mutation: str, fault: Fault, red: str) -> None:
    found = run([fault], mutation)
    assert found["verdict"] == "fail"
    assert not found["checks"][red]["passed"], found
    shutil.rmtree(Path(found["logs"]))
