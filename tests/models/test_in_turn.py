"""Clicks of the same users in one call are the same as a call for each."""

import numpy as np
import onnx
import pytest

from app.cli.errors import UsageProblem
from app.features.clicks import CLICK_FEATURES, NUMBERS
from app.models.in_turn import in_turn
from app.models.protobuf import NotProtobuf
from app.models.runtime import IntentModel
from app.state.rows import HIDDEN_UNITS
from app.training.intent_weights import PRODUCT_VECTOR, initial_weights, intent_graph
from app.training.scaling import fit_scaling
from app.training.tables import Tables

TURNS = 7


def graph() -> bytes:
    random = np.random.default_rng(1)
    columns = 4
    weights = initial_weights(NUMBERS + 2 * columns - PRODUCT_VECTOR, 1, HIDDEN_UNITS, random)
    seen = random.lognormal(1, 2, size=(50, NUMBERS)).astype(np.float32)
    tables = Tables(*(random.normal(size=(9, columns)).astype(np.float32) for _ in range(2)))
    return intent_graph(weights, fit_scaling(seen, np.ones(50)), tables)


@pytest.mark.parametrize("users", [1, 5])
def test_all_turns_in_one_call_equal_a_call_for_each(users: int) -> None:
    model, random = IntentModel(graph(), "intent", "test"), np.random.default_rng(users)
    features = random.lognormal(1, 2, size=(TURNS, users, len(CLICK_FEATURES))).astype(np.float32)
    features[..., NUMBERS:] = random.integers(0, 9, (TURNS, users, 2))
    hidden = random.normal(size=(users, HIDDEN_UNITS)).astype(np.float32)

    together = model.score_in_turn(features, hidden)

    assert together.probabilities.shape == (TURNS, users, 7)
    for turn in range(TURNS):
        alone = model.score(features[turn], hidden)
        hidden = alone.hidden
        np.testing.assert_allclose(together.probabilities[turn], alone.probabilities, atol=1e-6)
        np.testing.assert_allclose(together.purchase[turn], alone.purchase, atol=1e-6)
        assert together.outlook is not None
        assert alone.outlook is not None
        np.testing.assert_allclose(together.outlook[turn], alone.outlook, atol=1e-6)
    np.testing.assert_allclose(together.hidden, hidden, atol=1e-6)


def test_the_model_is_valid_and_keeps_all_else_of_the_file() -> None:
    before, after = onnx.load_from_string(graph()), onnx.load_from_string(in_turn(graph()))
    onnx.checker.check_model(after, full_check=True)
    assert (after.ir_version, after.opset_import) == (before.ir_version, before.opset_import)
    (scan,) = after.graph.node
    assert list(scan.attribute[0].g.node) == list(before.graph.node)


def test_the_order_of_inputs_and_outputs_does_not_matter() -> None:
    turned = onnx.load_from_string(graph())
    inputs, outputs = list(turned.graph.input)[::-1], list(turned.graph.output)[::-1]
    del turned.graph.input[:], turned.graph.output[:]
    turned.graph.input.extend(inputs)
    turned.graph.output.extend(outputs)
    assert in_turn(turned.SerializeToString()) == in_turn(graph())


def test_a_graph_of_another_kind_is_refused_with_what_it_has() -> None:
    other = onnx.load_from_string(graph())
    other.graph.output[0].name = "after"
    with pytest.raises(UsageProblem, match=r"'after'"):
        in_turn(other.SerializeToString())


@pytest.mark.parametrize("damaged", [b"\x3a", b"\x3a\x05abc", b"\x3f", b"\x80"])
def test_bytes_that_are_no_message_are_refused(damaged: bytes) -> None:
    with pytest.raises(NotProtobuf):
        in_turn(damaged)
