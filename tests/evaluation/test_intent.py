"""``sluice evaluate intent``: the figures of a model, and one line where there are none."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.cli.main import main
from app.models.manifest import DataFile
from app.training import measuring
from app.training.click_sets import ClickSet, labelled
from app.training.figures import Ranking, binary_figures
from app.training.measuring import questions
from app.training.rows import click_rows
from tests.models.builders import store_intent
from tests.training.recordings import LIFETIMES, ignored, shop

START = datetime(2017, 11, 25, tzinfo=UTC)


@pytest.fixture(scope="module")
def behaviour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up rows with the columns of the Taobao extract: some of 40 users buy at the end of a visit."""
    random = np.random.default_rng(3)
    rows: list[tuple[int, datetime, int, int, int, str]] = []
    for user in range(40):
        for visit in range(3):
            at = START + timedelta(days=visit, minutes=int(random.integers(600)))
            kinds = ["pv"] * int(random.integers(1, 12)) + (["cart", "buy"] if random.random() < 0.3 else [])
            for kind in kinds:
                at += timedelta(seconds=int(random.integers(1, 200)))
                rows.append((len(rows), at, user, int(random.integers(50)), int(random.integers(9)), kind))
    path = tmp_path_factory.mktemp("behaviour") / "events.parquet"
    names = ["row_id", "time", "user_id", "item_id", "category_id", "behavior"]
    pl.DataFrame(rows, names, orient="row").with_columns(pl.col("time").dt.replace_time_zone(None)).write_parquet(path)
    return path


def measured(*arguments: str, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    code = main(["evaluate", "intent", "--json", *arguments])
    output = capsys.readouterr()
    assert code == 0, output.err
    found: dict[str, object] = json.loads(output.out)
    return found


def test_a_file_is_scored_whole_with_the_names_of_the_contract(
    behaviour: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_intent(tmp_path, "3")
    places = "--sets", str(tmp_path), "--model-repository", str(tmp_path)
    found = measured("--data", str(behaviour), *places, capsys=capsys)
    assert found["rows"] == len(pl.read_parquet(behaviour))
    assert found["model"] == "intent/3"
    assert {"auc", "average_precision", "by_prefix"} <= found.keys()
    assert "1" in found["by_prefix"]  # type: ignore[operator]
    assert found["choices"].keys() == {"intent"}, "it says nothing else"  # type: ignore[attr-defined]


def test_what_came_before_is_replayed_and_not_measured(
    behaviour: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_intent(tmp_path, "1")
    rows = pl.read_parquet(behaviour).sort("time")
    cut = START.replace(tzinfo=None) + timedelta(days=2)
    before, after = tmp_path / "before.parquet", tmp_path / "after.parquet"
    rows.filter(pl.col("time") < cut).write_parquet(before)
    rows.filter(pl.col("time") >= cut).write_parquet(after)
    places = "--sets", str(tmp_path), "--model-repository", str(tmp_path)
    found = measured("--data", str(after), "--history", str(before), *places, capsys=capsys)
    assert found["rows"] == len(pl.read_parquet(after))


def test_a_file_that_goes_on_after_the_sets_own_days_is_scored_with_their_histories(
    behaviour: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "boosted", lambda inputs, right, asked, seed: np.full(len(asked), 0.5))  # slow
    store_intent(tmp_path, "1")
    own = tmp_path / "taobao_userbehavior" / "events.parquet"
    own.parent.mkdir()
    rows = pl.read_parquet(behaviour).sort("time")
    cut = START.replace(tzinfo=None) + timedelta(days=2)
    rows.filter(pl.col("time") < cut).write_parquet(own)
    rows.filter(pl.col("time") >= cut).write_parquet(tmp_path / "after.parquet")
    arguments = "--data", str(tmp_path / "after.parquet"), "--sets", str(tmp_path), "--model-repository", str(tmp_path)
    found = measured(*arguments, capsys=capsys)
    assert found["history"] == str(own)
    assert found["rows"] == len(pl.read_parquet(tmp_path / "after.parquet"))
    assert measured(*arguments, "--cold", capsys=capsys)["history"] is None


def test_baselines_learn_from_the_set_where_it_is_at_hand(
    behaviour: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_intent(tmp_path, "1")
    folder = tmp_path / "taobao_userbehavior"
    folder.mkdir()
    (folder / "events.parquet").write_bytes(behaviour.read_bytes())
    places = "--sets", str(tmp_path), "--model-repository", str(tmp_path)
    found = measured("--data", str(behaviour), *places, capsys=capsys)
    baselines = found["baselines"]
    assert isinstance(baselines, dict)
    assert baselines.keys() == {"prior", "logistic", "gradient_boosted_trees"}
    assert baselines["prior"]["auc"] == 0.5
    assert baselines["logistic"]["auc"] > 0.5  # it has seen these very rows
    choices = found["choices"]
    assert isinstance(choices, dict)
    for beside in choices.values():
        assert beside.keys() == {"model", "prior", "transitions"}
        assert beside["transitions"]["log_loss"] < beside["prior"]["log_loss"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--history", "before.parquet"], "are about the file of --data"),
        (["--cold"], "are about the file of --data"),
        (["--data", "a.parquet", "--history", "b.parquet", "--cold"], "leave one of them out"),
        (["--data", "nowhere.parquet"], "there is no nowhere.parquet"),
        (["--set", "shop", "--data", "nowhere.parquet"], "simulated"),
        (["--model", "intent/newest"], "NAME/VERSION"),
        (["--sets", "nowhere"], "name the folder of the data sets"),
    ],
)
def test_what_cannot_be_measured_is_one_line_with_code_2(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_intent(tmp_path, "1")
    assert main(["evaluate", "intent", *arguments, "--model-repository", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_a_recording_without_clicks_is_one_line_with_code_2(
    tmp_path: Path, behaviour: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_intent(tmp_path, "1")
    pl.read_parquet(behaviour).head(0).write_parquet(tmp_path / "empty.parquet")
    arguments = [
        "--data",
        str(tmp_path / "empty.parquet"),
        "--sets",
        str(tmp_path),
        "--model-repository",
        str(tmp_path),
    ]
    assert main(["evaluate", "intent", *arguments]) == 2
    assert "no clicks" in capsys.readouterr().err


def test_only_what_happens_in_a_set_is_asked() -> None:
    rows = click_rows(shop(3_000), LIFETIMES, ignored)
    one: ClickSet = labelled("shop", rows, np.zeros(len(rows.ts), np.int64), DataFile("", "", "", 0), "")
    assert next(iter(questions(one))) == "purchase"
    types = np.zeros_like(rows.type)
    bare = type(rows)(rows.user, rows.session, types, rows.ts, rows.started_at, rows.features)
    assert list(questions(labelled("bare", bare, one.part, one.described, ""))) == ["session_end", "same_category"]


def test_an_area_from_a_ranking_is_the_usual_one_with_ties_and_weights() -> None:
    random = np.random.default_rng(1)
    values, truth = np.round(random.random(500), 1), random.random(500) < 0.4
    weight = random.integers(0, 3, 500)
    assert Ranking.of(truth, values).auc(np.ones(500, np.int64)) == pytest.approx(
        binary_figures(truth, values)["auc"], abs=1e-4
    )
    assert Ranking.of(truth, values).auc(weight) == pytest.approx(
        Ranking.of(np.repeat(truth, weight), np.repeat(values, weight)).auc(np.ones(weight.sum(), np.int64))
    )
