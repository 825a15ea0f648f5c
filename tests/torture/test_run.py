"""The verdict: each finding alone turns it."""

from collections import Counter
from collections.abc import Callable

import pytest

from app.ops.settings import Guarantee
from app.torture.faults import Fault
from app.torture.figures import Ended, figures
from app.torture.killer import Done
from app.torture.memory import Memory
from app.torture.plan import Plan
from app.torture.verdict import Findings
from schemas.topics import CLICKSTREAM

KILL = Fault("kill", "produced", wipes=False, returns=True, target=0, settled=True, wait_s=1.0)


def ended() -> Ended:
    done = [Done(KILL, 1.0, True, 6.5), Done(KILL, 9.0, False, 4.0)]
    return Ended(done, [], None, 0, Memory(), Counter({CLICKSTREAM: 10}))


def findings(change: Callable[[Findings], None] = lambda found: None) -> Findings:
    found = Findings(inputs=Counter({CLICKSTREAM: 10}))
    change(found)
    return found


def plan(guarantee: Guarantee = "exactly_once") -> Plan:
    return Plan(1, 1, guarantee, 100)


def test_a_run_without_findings_passes_and_tells_what_it_did() -> None:
    found = figures(plan(), ended(), findings())
    assert found["verdict"] == "pass"
    assert (found["kills"], found["inputs"], found["lost"], found["duplicated"], found["reordered"]) == (2, 10, 0, 0, 0)
    assert found["state_equal"] is True
    assert found["kills_by_kind"] == {"kill produced": 2}
    assert found["windows_not_reached"] == {"kill produced": 1}
    assert found["recovery_s"] == {"p50": 6.5, "p100": 6.5, "longest": {"kill produced": 6.5}}


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("inputs_as_sent", lambda found: found.inputs.update({CLICKSTREAM: 1})),
        ("outputs_complete", lambda found: found.counts.note("lost", "x")),
        ("outputs_once", lambda found: found.counts.note("duplicated", "x")),
        ("outputs_equal_reference", lambda found: found.counts.note("different", "x")),
        ("outputs_in_order", lambda found: found.counts.note("reordered", "x")),
        ("sessions_as_they_say", lambda found: found.counts.note("wrong_sessions", "x")),
        ("fenced_stay_silent", lambda found: found.fences.append("x")),
        ("state_three_ways", lambda found: found.state.append("x")),
    ],
)
def test_each_finding_fails_its_check_and_the_run(check: str, change: Callable[[Findings], None]) -> None:
    found = figures(plan(), ended(), findings(change))
    assert [name for name, one in found["checks"].items() if not one["passed"]] == [check]
    assert found["verdict"] == "fail"


def test_a_group_that_stands_still_or_has_not_read_to_the_end_fails() -> None:
    stuck, unread = ended(), ended()
    stuck.stuck, unread.unread = "not committed", 1
    assert figures(plan(), stuck, findings())["verdict"] == "fail"
    assert figures(plan(), unread, findings())["verdict"] == "fail"


def test_at_least_once_a_kill_may_repeat_a_batch_and_no_more() -> None:
    """A batch is one of inputs: an order that is repeated may have a risk, a decision and an alert twice."""

    def repeated(count: int) -> Findings:
        def change(found: Findings) -> None:
            found.counts.note("duplicated", "x", 3 * count)
            found.counts.repeated = count

        return findings(change)

    assert figures(plan("at_least_once"), ended(), repeated(200))["verdict"] == "pass"
    assert figures(plan("at_least_once"), ended(), repeated(201))["verdict"] == "fail"


def test_memory_that_grows_in_a_long_run_fails_it_and_a_short_run_does_not_judge_it() -> None:
    growing = ended()
    for minute in range(61):
        growing.memory.note("worker-3", minute, 100.0 + minute * 5)
    assert figures(plan(), growing, findings())["verdict"] == "pass"
    long = figures(Plan(60, 1, "exactly_once", 100), growing, findings())
    assert not long["checks"]["memory_flat"]["passed"]
    assert long["verdict"] == "fail"


def test_findings_of_several_processes_add_up() -> None:
    first, second = findings(lambda found: found.counts.note("lost", "x")), findings()
    second.counts.note("lost", "y", 2)
    second.state.append("z")
    first.add(second)
    assert (first.counts.lost, first.counts.examples["lost"], first.state) == (3, ["x", "y"], ["z"])
    assert first.inputs == {CLICKSTREAM: 20}
