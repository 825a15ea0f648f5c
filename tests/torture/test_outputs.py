"""The comparison finds what is lost, repeated, reordered or different, and nothing else."""

import json

from app.torture.outputs import Comparison, Counts
from schemas.topics import DECISIONS, INTENT_EVENTS, RISK_EVENTS, SESSION_EVENTS


def intent(number: int, **more: object) -> bytes:
    body = {"event_id": f"e{number}:intent", "ts": number, "purchase_probability": 0.5, "scored_at": number * 7}
    return json.dumps(body | more).encode()


def closed(**more: object) -> bytes:
    body = {"event_id": "e1:closed", "ts": 9, "session_id": "s1-2-150-40", "events": 2, "cart_value": 1.5}
    return json.dumps(body | {"started_at": 10, "ended_at": 50} | more).encode()


def compared(found: list[bytes], wanted: list[bytes], topic: str = INTENT_EVENTS) -> Counts:
    counts = Counts()
    comparison = Comparison(counts)
    for value in found:
        comparison.find(topic, b"u", value)
    for value in wanted:
        comparison.expect(topic, value)
    comparison.end()
    return counts


def faults(counts: Counts) -> tuple[int, int, int, int]:
    return counts.lost, counts.duplicated, counts.reordered, counts.different


def test_the_same_outputs_have_no_faults_whenever_they_were_scored() -> None:
    wanted = [intent(1, scored_at=0), intent(2, scored_at=0, purchase_probability=0.500001)]
    assert faults(compared([intent(1), intent(2)], wanted)) == (0, 0, 0, 0)


def test_a_missing_output_is_lost() -> None:
    assert faults(compared([intent(1)], [intent(1), intent(2)])) == (1, 0, 0, 0)


def test_an_output_twice_is_duplicated_and_with_another_score_different_too() -> None:
    assert faults(compared([intent(1), intent(1)], [intent(1)])) == (0, 1, 0, 0)
    assert faults(compared([intent(1), intent(1, purchase_probability=0.6)], [intent(1)])) == (0, 1, 0, 1)


def test_an_input_is_repeated_once_for_each_time_that_it_was_scored_again() -> None:
    assert compared([intent(1), intent(1), intent(2), intent(2)], [intent(1), intent(2)]).repeated == 2
    assert compared([closed(), closed()], [closed()], SESSION_EVENTS).repeated == 0


def test_event_time_that_falls_within_a_key_is_reordered() -> None:
    assert faults(compared([intent(2), intent(1)], [intent(1), intent(2)])) == (0, 0, 1, 0)


def test_an_output_that_should_not_exist_or_says_something_else_is_different() -> None:
    assert faults(compared([intent(1), intent(2)], [intent(1)])) == (0, 0, 0, 1)
    assert faults(compared([intent(1, purchase_probability=0.51)], [intent(1)])) == (0, 0, 0, 1)


def test_a_session_must_be_what_its_id_says_and_close_once() -> None:
    assert compared([closed()], [closed()], SESSION_EVENTS).wrong_sessions == 0
    assert compared([closed(events=1)], [closed()], SESSION_EVENTS).wrong_sessions == 1
    again = closed(event_id="e2:closed")
    assert compared([closed(), again], [closed(), again], SESSION_EVENTS).wrong_sessions == 1


def risk(**points: float) -> bytes:
    reasons = [{"code": code, "contribution": each, "text": code.lower()} for code, each in points.items()]
    return json.dumps({"event_id": "o:risk", "ts": 1, "probability": 0.9, "reasons": reasons}).encode()


def test_reasons_of_nearly_equal_weight_may_change_places_and_others_may_not() -> None:
    wanted = risk(A=9.0, B=4.64, C=4.64)
    assert compared([risk(A=9.0, C=4.64, B=4.63)], [wanted], RISK_EVENTS).different == 0
    assert compared([risk(A=9.0, B=4.64, D=4.64)], [wanted], RISK_EVENTS).different == 0
    assert compared([risk(B=4.64, A=9.0, C=4.64)], [wanted], RISK_EVENTS).different == 1
    assert compared([risk(A=9.0, B=6.0, C=4.64)], [wanted], RISK_EVENTS).different == 1
    assert compared([risk(A=9.0, D=4.64, E=4.64)], [wanted], RISK_EVENTS).different == 1
    assert compared([risk(A=9.0, B=4.64)], [wanted], RISK_EVENTS).different == 1


def test_a_decision_may_name_its_reasons_in_another_order_and_not_others() -> None:
    def decision(*codes: str) -> bytes:
        return json.dumps({"event_id": "o:decision", "ts": 1, "reasons": codes}).encode()

    assert compared([decision("A", "B")], [decision("B", "A")], DECISIONS).different == 0
    assert compared([decision("A", "B")], [decision("C", "D")], DECISIONS).different == 1


def test_what_is_read_next_is_told_by_topic() -> None:
    comparison = Comparison(Counts())
    comparison.expect(INTENT_EVENTS, intent(1))
    assert [comparison.wants_found(topic) for topic in (INTENT_EVENTS, RISK_EVENTS)] == [True, False]
    comparison.find(RISK_EVENTS, b"u", risk(A=1.0))
    comparison.find(INTENT_EVENTS, b"u", intent(1))
    assert not comparison.wants_found(INTENT_EVENTS)
