"""A card says what is known of a version, what is not, and what it must not be used for."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from app.cards.card import CARD_FILE, card
from app.cards.clicks import click_groups
from app.cards.groups import GroupFigure
from app.cards.orders import first_order_groups
from app.cards.statements import NEVER_INPUTS, STATEMENTS
from app.cli.models import models
from app.features.clicks import CLICK_FEATURES, Feature
from app.features.orders import ORDER_FEATURES
from app.models.manifest import MANIFEST_FILE, DataFile, Kind, Manifest, read_manifest
from app.models.runtime import load_intent
from app.training.sources import ESHOP
from tests.fakes import FakeRiskModel
from tests.models.builders import intent_manifest
from tests.models.repositories import COMMITTED, committed
from tests.training.recordings import LIFETIMES, ignored

SHA = "ab" * 32
CARDS = sorted(COMMITTED.glob(f"*/*/{MANIFEST_FILE}"))


def manifest(**changes: object) -> Manifest:
    data = [DataFile("some/events.parquet", SHA, "CC BY 4.0 (somebody)", 12_345)]
    return msgspec.structs.replace(
        intent_manifest(b"graph"), data=data, split={"some": "learned until then"}, **changes
    )


def figure(set_: str, value: float | None) -> GroupFigure:
    return GroupFigure(set_, "intent", "country", "Poland", 1_234, 99, None, None, "accuracy", value, value, value)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_says_what_it_is_for_and_not_for(kind: Kind) -> None:
    page = card(manifest(kind=kind), [])
    for title in ("What it is for", "What it must not be used for", "Data", "Fairness", "Limits", "Figures by group"):
        assert f"## {title}\n" in page
    for word in ("Credit", "employment", "Prices", "review"):
        assert word in page
    assert all(len(part) > 0 for part in (STATEMENTS[kind].limits, STATEMENTS[kind].missing))


def test_data_is_named_with_its_licence_and_digest() -> None:
    page = card(manifest(), [])
    assert f"| some/events.parquet | 12,345 | CC BY 4.0 (somebody) | `{SHA[:16]}…` |" in page
    assert "- some: learned until then" in page


def test_without_figures_it_says_how_to_measure_them() -> None:
    assert "`sluice models card intent/1`" in card(manifest(), [])


def test_a_group_stands_with_its_size_and_interval_and_a_set_that_did_not_train_says_so() -> None:
    page = card(manifest(), [figure("some", 0.75), figure("other", None)])
    assert "| some | intent | Poland | 1,234 | 99 | – | – | accuracy | 0.750 | 0.750 to 0.750 |" in page
    assert "| other (did not train) | intent | Poland | 1,234 | 99 | – | – | accuracy | – | – |" in page


def test_a_group_that_is_served_worse_is_named() -> None:
    every = replace(figure("some", 0.9), group="all")
    page = card(manifest(), [every, figure("some", 0.8), replace(figure("some", 0.7), group="Peru", high=0.95)])
    assert "- some, intent, Poland: accuracy 0.800 instead of 0.900.\n" in page
    assert "Peru: accuracy" not in page
    assert "No group's interval lies below" in card(manifest(), [every])


def test_a_group_whose_answers_are_misjudged_is_named() -> None:
    young = replace(figure("some", 0.8), group="young", rate=0.05, expected=0.5)
    page = card(manifest(), [young, replace(young, group="old", expected=0.06), replace(young, group="few", rows=100)])
    assert "- some, intent, young: 0.500 expected, 0.050 true.\n" in page
    assert "old: 0.060 expected" not in page
    assert "few: 0.500 expected" not in page


@pytest.mark.parametrize("features", [CLICK_FEATURES, ORDER_FEATURES], ids=["clicks", "orders"])
def test_no_feature_is_made_of_what_is_never_an_input(features: tuple[Feature, ...]) -> None:
    taboo = r"name|email|address|country$|locale|language|browser|sex|gender|birth"
    for feature in features:
        plain = re.sub(r"^is_|_count$", "", feature.name)
        assert plain == "address_changed" or not re.search(taboo, plain), feature.name
    assert {"country", "sex", "age"} <= set(NEVER_INPUTS)


@pytest.fixture
def eshop(tmp_path: Path) -> Path:
    """A made-up file of the shop's shape: 40 sessions of two countries, most of them measured."""
    rows = [
        {
            "session_id": session,
            "order": order,
            "country": 29 if session % 4 else 9,
            "item": f"A{(session + order) % 9}",
        }
        for session in range(40)
        for order in range(1, 4 + session % 3)
    ]
    table = pl.DataFrame(rows).with_columns(
        pl.lit("2008-07-05").str.to_date().alias("date"),
        pl.lit(1).alias("page1_main_category"),
        pl.col("item").alias("page2_clothing_model"),
        pl.lit(30).alias("price"),
    )
    (tmp_path / ESHOP.file).parent.mkdir(parents=True)
    table.drop("item").write_parquet(tmp_path / ESHOP.file)
    return tmp_path


def test_countries_of_visitors_come_from_the_set(eshop: Path) -> None:
    model = load_intent(COMMITTED, provider="cpu")
    found = click_groups(ESHOP, eshop, LIFETIMES, model, ignored)
    rows = {one.group: (one.rows, one.users) for one in found if one.question == "intent"}
    assert rows["Poland"][1] == 30
    assert rows["Czech Republic"][1] == 10
    assert rows["Poland"][0] + rows["Czech Republic"][0] == rows["all"][0]
    assert rows["first session seen"] == rows["all"]
    assert "other countries" not in rows


def test_a_set_that_is_not_there_has_no_figures(tmp_path: Path) -> None:
    assert click_groups(ESHOP, tmp_path, LIFETIMES, load_intent(COMMITTED, provider="cpu"), ignored) == []
    assert first_order_groups(tmp_path, LIFETIMES, FakeRiskModel(), ignored) == []


def test_countries_of_orders_are_looked_up_by_address_and_accounts_by_age(tmp_path: Path) -> None:
    folder = tmp_path / "fraud_ecommerce"
    folder.mkdir()
    n = 120
    number = np.arange(n)
    day = np.datetime64("2015-03-01", "ms")
    pl.DataFrame(
        {
            "row_id": number,
            "user_id": number,
            "signup_time": day + np.zeros(n, "timedelta64[D]"),
            "purchase_time": day + (number % 3) * np.timedelta64(20, "D") + np.timedelta64(1, "h"),
            "purchase_value": 10 + number % 7,
            "device_id": ["D"] * n,
            "browser": ["Chrome"] * n,
            "ip_address": [None if place % 4 == 3 else 100.5 + 100 * (place % 4) for place in number.tolist()],
            "class": (number % 5 == 0).astype(int),
        }
    ).write_parquet(folder / "orders.parquet")
    pl.DataFrame(
        {
            "lower_bound_ip_address": [50.0, 150.0],
            "upper_bound_ip_address": [149, 250],
            "country": ["Here", "There"],
        }
    ).write_parquet(folder / "ip_to_country.parquet")
    rows = {one.group: one.rows for one in first_order_groups(tmp_path, LIFETIMES, FakeRiskModel(), ignored)}
    assert rows == {
        "all": n,
        "account younger than a day": 40,
        "account of 1 to 30 days": 40,
        "account of 30 days and more": 40,
        "Here": 30,
        "There": 30,
        "not known": 60,
    }


def test_the_command_writes_the_card_beside_the_model(tmp_path: Path) -> None:
    repository = committed(tmp_path / "onnx")
    arguments = ["card", "text/1", "--model-repository", str(repository), "--json"]
    done = CliRunner().invoke(models, arguments)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    languages = {one["group"]: one for one in found["groups"]}
    assert {"all", "zh", "en"} <= languages.keys()
    assert languages["zh"]["rows"] >= 300
    page = (repository / "text" / "1" / CARD_FILE).read_text(encoding="utf-8")
    assert f"| zh | {languages['zh']['rows']:,} |" in page


def test_a_payment_model_has_other_features_and_a_card_all_the_same(tmp_path: Path) -> None:
    shutil.copytree(COMMITTED / "payments", tmp_path / "payments")
    arguments = ["card", "payments/1", "--model-repository", str(tmp_path), "--data", str(tmp_path), "--json"]
    done = CliRunner().invoke(models, arguments)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["groups"] == []


def test_a_version_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    done = CliRunner().invoke(models, ["card", "intent/77", "--model-repository", str(tmp_path)])
    assert done.exit_code != 0
    assert "there is no intent/77" in str(done.exception) + done.output


@pytest.mark.parametrize("path", CARDS, ids=lambda path: f"{path.parent.parent.name}-{path.parent.name}")
def test_a_committed_version_has_a_card_of_its_own(path: Path) -> None:
    known = read_manifest(path)
    page = (path.parent / CARD_FILE).read_text(encoding="utf-8")
    assert page.startswith(f"# Model card: {known.name}, version {known.version}\n")
    renew = f"renew it with: sluice models card {known.name}/{known.version}"
    assert known.digest[:16] in page, renew
