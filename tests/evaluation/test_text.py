"""Measuring texts: public sets train once and are measured, the shopper test counts intents, languages and slots."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.cli.errors import UsageProblem
from app.evaluation.text_public import evaluate_public
from app.evaluation.text_sets import PUBLIC, read_parts
from app.evaluation.text_shopper import evaluate_shopper, read_shopper, slot_figures
from app.models.session import session_of
from app.models.text import TextModel
from app.training.progress import Silent
from app.training.text_graph import text_graph
from app.training.text_sets import HEADS, truth_of
from app.training.text_trainer import Recipe, TextSet, counted, fit_text
from tests.training.test_text import SAID

CLINC = replace(PUBLIC["clinc150"], recipe=Recipe(units=8, epochs=20, batch=8, drop_ngrams=0.2))
LINE = '{"text":"%s","query_intent":"%s","language":"%s","slots":%s}\n'


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set of CLINC150's shape: texts of three labels, and some out of scope."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rows = [
        (f"{said} {split}", intent, split)
        for split in ("train", "val")
        for intent, texts in SAID.items()
        for said in texts
    ]
    rows += [(f"zebra {number} quagga", "oos", split) for split in ("oos_train", "oos_val") for number in range(4)]
    file = tmp_path / "sets" / CLINC.file
    file.parent.mkdir(parents=True)
    pl.DataFrame(rows, ["text", "intent", "split"], orient="row").write_parquet(file)
    return tmp_path / "sets"


def test_a_public_set_trains_once_and_is_measured_beside_the_baselines(sets: Path, tmp_path: Path) -> None:
    found = evaluate_public(CLINC, sets, None, Silent())
    assert (found["rows"], found["learned_rows"]) == (20, 20)
    assert found["accuracy"] > 0.8
    assert {"macro_f1", "log_loss", "out_of_scope_auc", "out_of_scope_recall"} <= found.keys()
    assert found["baselines"]["prior"]["accuracy"] < found["accuracy"]
    (made,) = (tmp_path / "cache").rglob("*.onnx")
    before = made.stat().st_mtime_ns
    assert evaluate_public(CLINC, sets, None, Silent()) == found
    assert made.stat().st_mtime_ns == before


def test_a_file_is_measured_whole(sets: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.parquet"
    pl.DataFrame({"text": ["red shoes please"], "intent": ["find_product"]}).write_parquet(file)
    assert evaluate_public(CLINC, sets, file, Silent())["rows"] == 1


def test_a_file_that_is_none_is_refused(sets: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="there is no"):
        read_parts(CLINC, sets, tmp_path / "missing.parquet")
    wrong = tmp_path / "wrong.parquet"
    pl.DataFrame({"words": ["a"]}).write_parquet(wrong)
    with pytest.raises(UsageProblem, match="columns text and intent"):
        read_parts(CLINC, sets, wrong)


def test_what_banking77_measures_it_does_not_learn(tmp_path: Path) -> None:
    public = PUBLIC["banking77"]
    table = pl.DataFrame({"text": [f"text {number}" for number in range(100)], "intent": ["a", "b"] * 50})
    learns, measures = public.learns(table), public.measures(table)
    assert (learns != measures).all()
    assert table.filter(measures)["intent"].value_counts()["count"].to_list() == [5, 5]


@pytest.fixture(scope="module")
def model() -> TextModel:
    texts = [text for said in SAID.values() for text in said]
    truth = np.stack([truth_of(intent, foreign=0.0) for intent, said in SAID.items() for _ in said])
    recipe = Recipe(units=8, epochs=20, batch=4, drop_ngrams=0.2)
    weights = fit_text(TextSet(counted(texts), truth), HEADS, recipe, lambda steps: None)
    return TextModel(session_of(text_graph(weights, {head.name: head.size for head in HEADS})), "text", "1")


def test_the_shopper_test_counts_intents_languages_and_slots(model: TextModel, tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    lines = [
        LINE % ("red shoes", "find_product", "en", '{"category":"shoes","color":"red"}'),
        LINE % ("我要退货", "return_refund", "zh", "{}"),
        LINE % ("where is my order", "human_agent", "en", '{"brand":"Nobody"}'),
    ]
    file.write_text("".join(lines), encoding="utf-8")
    texts = [text for said in SAID.values() for text in said]
    labels = [intent for intent, said in SAID.items() for _ in said]
    found = evaluate_shopper(model, read_shopper(file), texts, labels)
    assert (found["rows"], found["model"]) == (3, {"name": "text", "version": "1"})
    assert found["accuracy"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["language_accuracy"] == 1
    assert (found["slot_precision"], found["slot_recall"]) == (1, pytest.approx(2 / 3, abs=1e-4))
    assert found["by_language"]["zh"]["accuracy"] == 1
    assert found["by_language"]["en"]["rows"] == 2
    assert {"prior", "logistic", "linear_svm"} == found["baselines"].keys()


@pytest.mark.parametrize("content", ["", "{}\n", "not json\n"])
def test_a_file_that_is_no_shopper_test_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(UsageProblem, match=r"own\.jsonl"):
        read_shopper(file)


def test_slots_are_right_when_name_and_value_are() -> None:
    found = slot_figures([{"size": "XL", "price_max": 500}, {}], [{"size": "xl", "price_max": 400.0}, {"color": "red"}])
    assert found["slot_precision"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["slot_recall"] == 0.5
    assert found["slots_all_right"] == 0
