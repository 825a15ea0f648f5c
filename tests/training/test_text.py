"""The text trainer: it learns, repeats itself, and its graph equals it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.cli.errors import UsageProblem
from app.evaluation.shopper.load import folded, held_out, shopper
from app.models.session import session_of
from app.models.text import OUTPUTS, TextModel, feeds_of, read_text_model
from app.text.ngrams import bag_of
from app.training.text import curves_of
from app.training.text_figures import Told, text_figures
from app.training.text_graph import TextWeights, beside, sigmoid, text_graph
from app.training.text_sets import HEADS, LabelledTexts, customer_turns, read_texts, truth_of, written_and_made
from app.training.text_trainer import Recipe, TextSet, counted, fit_text, rarity
from tests.text.test_ngrams import WILD

SAID = {
    "find_product": ["red shoes", "a blue coat", "white trainers", "白色羽绒服", "想买手机壳", "蓝色卫衣"],
    "track_order": ["where is my order", "my parcel is not here", "order 12 status", "快递到哪了", "物流不动了"],
    "return_refund": ["i want my money back", "return this please", "refund order 12", "我要退货", "怎么退款"],
}
RECIPE = Recipe(units=16, epochs=30, batch=4, drop_ngrams=0.2)


@pytest.fixture(scope="module")
def learned() -> TextSet:
    texts = [text for said in SAID.values() for text in said]
    truth = [truth_of(intent, foreign=0.0) for intent, said in SAID.items() for _ in said]
    truth[0][-2] = truth[1][-1] = 1.0
    return TextSet(counted(texts), np.stack(truth))


@pytest.fixture(scope="module")
def weights(learned: TextSet) -> TextWeights:
    return fit_text(learned, HEADS, RECIPE, lambda steps: None)


def test_it_tells_what_it_learned(learned: TextSet, weights: TextWeights) -> None:
    told = weights.logits(learned.counts)[:, :16].argmax(axis=1)
    assert (told == learned.truth[:, :16].argmax(axis=1)).all()
    assert np.isfinite(weights.table).all()


def test_equal_arguments_give_equal_weights(learned: TextSet, weights: TextWeights) -> None:
    again = fit_text(learned, HEADS, RECIPE, lambda steps: None)
    np.testing.assert_array_equal(again.table, weights.table)
    other = fit_text(learned, HEADS, replace(RECIPE, seed=1), lambda steps: None)
    assert (other.table != weights.table).any()


def test_what_is_not_known_teaches_nothing(learned: TextSet, weights: TextWeights) -> None:
    unknown = TextSet(learned.counts, learned.truth.copy())
    unknown.truth[:, -2:] = np.nan
    heads = fit_text(unknown, HEADS, RECIPE, lambda steps: None)
    assert heads.head_bias[-1] == heads.head_bias[-2] == 0
    assert weights.head_bias[-1] != 0


def test_members_are_averaged_into_one_model(learned: TextSet) -> None:
    recipe = replace(RECIPE, epochs=3)
    pair = fit_text(learned, HEADS, replace(recipe, members=2), lambda steps: None)
    apart = [fit_text(learned, HEADS, replace(recipe, seed=recipe.seed + n), lambda steps: None) for n in range(2)]
    mean = sum(one.logits(learned.counts) for one in apart) / 2
    np.testing.assert_allclose(pair.logits(learned.counts), mean, atol=1e-5)


def test_two_models_beside_each_other_say_what_they_said_apart(learned: TextSet) -> None:
    recipe, rare = replace(RECIPE, epochs=3), rarity(learned.counts)
    wanted, felt = learned.having(0, 17), learned.having(17, 19)
    assert (wanted.truth.shape, felt.truth.shape) == ((len(learned.truth), 17), (2, 2))
    first = fit_text(wanted, HEADS[:2], recipe, lambda steps: None, rare)
    second = fit_text(felt, HEADS[2:], replace(recipe, units=4), lambda steps: None, rare)
    apart = np.hstack([first.logits(learned.counts), second.logits(learned.counts)])
    np.testing.assert_allclose(beside(first, second).logits(learned.counts), apart, atol=1e-4)


def scored(graph: bytes, texts: list[str]) -> list[np.ndarray]:
    return session_of(graph).run(OUTPUTS, feeds_of(bag_of(texts), len(texts)))


@pytest.mark.parametrize("quantise", [False, True])
def test_the_graph_equals_the_trainer(weights: TextWeights, quantise: bool) -> None:
    graph = text_graph(weights, {head.name: head.size for head in HEADS}, quantise)
    texts = [*WILD, "where is my coat", "退款到哪了"]
    expected = sigmoid((weights.quantised() if quantise else weights).logits(counted(texts)))
    np.testing.assert_allclose(np.column_stack(scored(graph, texts)), expected, atol=1e-5)


def test_int8_changes_little(weights: TextWeights, learned: TextSet) -> None:
    plain, small = weights.logits(learned.counts), weights.quantised().logits(learned.counts)
    np.testing.assert_allclose(sigmoid(small), sigmoid(plain), atol=0.05)


def test_a_score_does_not_depend_on_the_batch(weights: TextWeights) -> None:
    model = TextModel(session_of(text_graph(weights, {head.name: head.size for head in HEADS})), "text", "1")
    texts = [text for said in SAID.values() for text in said] + WILD
    together = model.score(bag_of(texts), len(texts))
    for place, text in enumerate(texts):
        np.testing.assert_allclose(model.score(bag_of([text]), 1).intents[0], together.intents[place], atol=1e-6)


def test_no_text_of_the_shopper_test_is_learned_from_in_whatever_case_or_with_a_full_stop() -> None:
    asked = next(one.text for one in shopper("en") if one.query_intent == "cancel_order")
    texts = LabelledTexts()
    texts.add(f" {asked.upper()}!", "cancel_order")
    texts.add(f"{asked} or something else", "cancel_order")
    assert texts.texts == [f"{asked} or something else"]
    learned, _ = written_and_made(seed=1, made=500)
    assert not {folded(text) for text in learned} & held_out()


def test_a_dialogue_gives_its_customers_turns_with_what_the_annotators_read_in_them() -> None:
    dialogue = {
        "turns": '[{"sender":"customer","utterances":["it broke","help"]},{"sender":"helpdesk","utterances":["ok"]},'
        '{"sender":"customer","utterances":["thanks"]}]',
        "annotations": '[{"nugget":["CNUG0","HNUG","CNUG*"]},{"nugget":["CNUG0","HNUG","CNaN"]}]',
        "S_mean": 1.0,
    }
    assert list(customer_turns(dialogue)) == [("it broke help", 0.75, 0.0), ("thanks", 0.75, 0.5)]


def test_a_missing_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"text_bitext_support.*--data"):
        read_texts(tmp_path, True, 1, lambda steps: None)


def test_figures_of_texts_out_of_scope_count_apart() -> None:
    evidence = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.1, 0.05]])
    found = text_figures(["a", "a", "a", "oos"], Told(["a", "b"], evidence))
    assert found["accuracy"] == pytest.approx(2 / 3, abs=1e-4)
    assert (found["out_of_scope_auc"], found["out_of_scope_recall"]) == (1, 1)
    assert "out_of_scope_auc" not in text_figures(["a", "b"], Told(["a", "b"], evidence[:2]))


def test_curves_show_how_sure_intents_and_feelings_may_be_taken_to_be() -> None:
    repository = Path(__file__).resolve().parent.parent.parent / "onnx"
    feelings = ["great, thank you", "this is awful", "never again", "love it"], [1.0, 0.0, 0.0, 1.0]
    drawn = curves_of(read_text_model(repository, "text", None), {"reviews: satisfied": feelings})
    assert all(f">{title}<" in drawn for title in ("chosen_en: the intent named is right", "reviews: satisfied"))
    assert drawn.count("<polyline") == 9
