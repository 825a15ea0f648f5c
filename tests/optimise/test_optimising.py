"""Variants of a model: what they keep of it, which is chosen, and what becomes of it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from app.cli.errors import UsageProblem
from app.evaluation.shopper.load import Example, shopper
from app.features.clicks import CLICK_FEATURES
from app.models.manifest import MODEL_FILE, read_manifest
from app.models.repository import StoredModel, versions
from app.models.session import session_of
from app.optimise.clicks import Clicks
from app.optimise.comparing import Measured, best, moved
from app.optimise.graphs import constants_of, nodes_of, parsed, rebuilt
from app.optimise.intent_pruning import Sample, pruned
from app.optimise.quantising import quantised, stored_in_int8
from app.optimise.regression import ridge
from app.optimise.run import ORIGINAL, optimised, stored_model, subject_of
from app.optimise.shown import show, told
from app.optimise.texts import Texts
from app.registry.loading import INTENT
from app.state.rows import HIDDEN_UNITS
from app.training.click_sets import ClickSet, read_click_set
from app.training.progress import Silent
from app.training.sources import SHOP, Split
from app.training.storing import CURVES_FILE, REPORT_FILE
from tests.models.repositories import COMMITTED, add_version
from tests.training.recordings import LIFETIMES, ignored

NOW = "2026-01-01T00:00:00+00:00"
OUTPUTS = ["hidden_after", "probabilities", "purchase"]


@pytest.fixture(scope="module")
def clicks() -> ClickSet:
    split = Split(datetime(2026, 1, 9, tzinfo=UTC), datetime(2026, 1, 12, tzinfo=UTC))
    source = replace(SHOP, users=100, events=4_000, events_per_second=0.0035, split=split)
    return read_click_set(source, Path("/nonexistent"), LIFETIMES, ignored)


def whole_intent() -> StoredModel:
    """The newest click model that is not a variant itself."""
    for version in reversed(versions(COMMITTED, "intent")):
        try:
            return stored_model(COMMITTED, "intent", str(version))
        except UsageProblem:
            continue
    raise AssertionError("no click model is committed")


def whole(repository: Path) -> Path:
    """A repository with that model as version 1."""
    stored = whole_intent()
    add_version(repository, "intent", "1", source=stored.path.parent)
    return repository


def newest_intent() -> bytes:
    return whole_intent().graph


def sample(rows: int = 200) -> Sample:
    rng = np.random.default_rng(3)
    features = rng.exponential(1, (rows, len(CLICK_FEATURES))).astype(np.float32)
    return Sample(features, rng.uniform(-1, 1, (rows, HIDDEN_UNITS)).astype(np.float32))


def of(name: str, cost: float = 1, auc: float = 0.7, moves: float = 0) -> Measured:
    seconds = {rows: cost * rows for rows in (1, 64, 1024)}
    return Measured(name, name, round(1_000_000 * cost), seconds, {"set": {"auc": auc, "log_loss": 0.3}}, moves)


def test_the_cheapest_variant_that_keeps_the_metrics_is_chosen() -> None:
    variants = [of("original"), of("small", 0.8), of("smallest", 0.5), of("worse", 0.3, auc=0.69)]
    assert best(variants).name == "smallest"


def test_a_variant_whose_rows_depend_on_their_batch_is_not_chosen() -> None:
    assert best([of("original"), of("dynamic", 0.5, moves=0.01)]).name == "original"


def test_a_saving_that_timings_cannot_tell_leaves_the_original() -> None:
    assert best([of("original"), of("hardly smaller", 0.97)]).name == "original"


def test_a_higher_log_loss_is_a_loss() -> None:
    worse = replace(of("worse", 0.5), figures={"set": {"auc": 0.7, "log_loss": 0.31}})
    assert worse.loss(of("original")) == pytest.approx(0.01)
    assert best([of("original"), worse]).name == "original"


def test_int8_is_half_a_step_from_the_matrix_at_most_in_rows_of_any_size() -> None:
    rng = np.random.default_rng(1)
    matrix = (rng.normal(size=(50, 40)) * 10 ** rng.uniform(-3, 3, (50, 1))).astype(np.float32)
    codes, of_row, of_column = quantised(matrix)
    assert (np.abs(codes * of_row * of_column - matrix) <= of_row * of_column * 0.501).all()


def test_pruning_takes_the_units_out_of_the_products() -> None:
    graph = newest_intent()
    small = pruned(graph, sample(), 24)
    before, after = constants_of(parsed(graph)), constants_of(parsed(small))
    assert after["gates_hidden"].shape == (24, 48)
    assert after["in_weight"].shape[1] == before["in_weight"].shape[1] - 3 * (HIDDEN_UNITS - 24)


def test_a_unit_that_never_changes_is_taken_out_without_a_trace() -> None:
    graph = newest_intent()
    given = sample()
    constants = constants_of(parsed(graph))
    for name in ("gates_hidden", "candidate_hidden", "told_hidden"):
        constants[name] = constants[name].copy()
        constants[name][:8] = 0  # nothing listens to the first eight
    deaf = rebuilt(parsed(graph), nodes_of(parsed(graph)), constants)
    feeds = {"features": given.features, "hidden": given.hidden}
    wanted = session_of(deaf).run(OUTPUTS, feeds)
    others = np.hstack([given.hidden[:, 8:], np.zeros((len(given.hidden), 8), np.float32)])
    found = session_of(pruned(deaf, given, HIDDEN_UNITS - 8)).run(OUTPUTS, feeds | {"hidden": others})
    np.testing.assert_allclose(found[0][:, :-8], wanted[0][:, 8:], atol=1e-5)
    np.testing.assert_array_equal(found[0][:, -8:], 0)
    np.testing.assert_allclose(found[1], wanted[1], atol=1e-5)
    np.testing.assert_allclose(found[2], wanted[2], atol=1e-5)


def test_a_unit_that_is_taken_out_goes_on_counting_with_its_mean() -> None:
    graph = newest_intent()
    given = sample()
    constants = constants_of(parsed(graph))
    for name, factor in (("gates_hidden", 0), ("candidate_hidden", 0), ("told_hidden", 0.001)):
        rows = np.where(np.arange(HIDDEN_UNITS) < 8, factor, 1)[:, None]
        constants[name] = np.asarray(constants[name] * rows, np.float32)
    weak = rebuilt(parsed(graph), nodes_of(parsed(graph)), constants)
    others = Sample(given.features, np.hstack([given.hidden[:, 8:], np.zeros_like(given.hidden[:, :8])]))
    name = "heads_straight"  # the part that is linear in the state
    (wanted,), (found,) = given.values(weak, [name]), others.values(pruned(weak, given, HIDDEN_UNITS - 8), [name])
    np.testing.assert_allclose(found.mean(axis=0), wanted.mean(axis=0), atol=1e-4)
    assert np.abs(found - wanted).max() > 1e-4


def test_rows_of_the_weights_in_int8_do_not_depend_on_their_batch_and_those_of_products_in_int8_do() -> None:
    stored = whole_intent()
    recipes = Clicks([]).recipes()
    assert moved(stored.manifest, session_of(stored_in_int8(stored.graph))) < 1e-5
    assert moved(stored.manifest, session_of(recipes["int8 products"].make(stored.graph))) > 1e-3


def test_a_regression_finds_the_line_and_gives_constant_columns_no_weight() -> None:
    rng = np.random.default_rng(2)
    inputs = np.column_stack([rng.normal(size=(500, 3)), np.full(500, 7.0)])
    weight, bias = ridge(inputs, inputs[:, :3] @ np.array([[1.0], [-2.0], [0.5]]) + 4)
    assert weight[:, 0] == pytest.approx([1, -2, 0.5, 0], abs=1e-3)
    assert bias == pytest.approx([4], abs=1e-3)


def test_clicks_that_never_lead_to_a_purchase_cannot_judge_a_variant(clicks: ClickSet) -> None:
    labels = replace(clicks.labels, purchase=np.zeros_like(clicks.labels.purchase))
    with pytest.raises(UsageProblem, match=f"leave out --set {clicks.name}"):
        Clicks([replace(clicks, labels=labels)])


def test_all_variants_of_a_click_model_are_measured_told_in_its_report_and_load(
    clicks: ClickSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = whole(tmp_path)
    stored = stored_model(repository, "intent", "1")
    monkeypatch.setattr("app.optimise.comparing.MAY_LOSE", 1.0)
    monkeypatch.setattr("app.optimise.comparing.MUST_GAIN", -9.0)
    outcome = optimised(repository, stored, Clicks([clicks], most=500), True, NOW, Silent())
    report = (repository / "intent" / "1" / REPORT_FILE).read_text(encoding="utf-8")
    assert outcome.variants[0].name == ORIGINAL
    assert all(f"| {one.name} |" in report for one in outcome.variants)
    assert outcome.chosen.moves < 1e-4
    assert outcome.stored == "2"
    show(outcome)
    assert outcome.chosen.how in " ".join(capsys.readouterr().out.split())
    assert told(outcome)["best"] == outcome.chosen.name
    assert INTENT.checked(repository, "intent", "2", "cpu").version == "2"
    kept = read_manifest(repository / "intent" / "2" / "manifest.json")
    assert {"model", "original", "prior", "logistic"} <= kept.metrics["shop: purchase"].keys()
    assert f"]({CURVES_FILE})" in (repository / "intent" / "2" / REPORT_FILE).read_text(encoding="utf-8")
    assert ">shop: abandonment<" in (repository / "intent" / "2" / CURVES_FILE).read_text(encoding="utf-8")
    assert (repository / "intent" / "2" / MODEL_FILE).stat().st_size < (stored.path).stat().st_size


def test_an_original_that_wins_is_not_stored_again_and_its_report_has_one_table(
    clicks: ClickSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = whole(tmp_path)
    stored = stored_model(repository, "intent", "1")
    monkeypatch.setattr("app.optimise.comparing.MAY_LOSE", -1.0)
    subject = Clicks([clicks], most=500)
    monkeypatch.setattr(subject, "recipes", lambda: {"int8": Clicks([]).recipes()["int8"]})
    for _ in range(2):
        outcome = optimised(repository, stored, subject, True, NOW, Silent())
    assert (outcome.chosen.name, outcome.stored) == (ORIGINAL, None)
    report = (repository / "intent" / "1" / REPORT_FILE).read_text(encoding="utf-8")
    assert report.count("## Smaller and faster") == 1
    assert "The best trade-off is the original" in report


def test_variants_of_a_text_model_are_narrower_and_answer_alike() -> None:
    stored = stored_model(COMMITTED, "text", None)
    examples: list[Example] = [*shopper("zh")[:40], *shopper("en")[:40]]
    subject = Texts([one.text for one in (*shopper("zh")[40:140], *shopper("en")[40:140])], examples)
    small = subject.recipes()["pruned 48"].make(stored.graph)
    assert len(small) < len(stored.graph) * 0.8
    assert subject.figures(subject.recipes()["float32"].make(stored.graph)) == subject.figures(stored.graph)
    assert subject.figures(small)["shopper zh"]["accuracy"] > 0.5
    assert ">chosen_zh: the intent named is right<" in subject.curves(small)


def test_a_variant_is_not_made_smaller_once_more_and_unnamed_gives_way_to_what_it_was_made_of(tmp_path: Path) -> None:
    repository = whole(tmp_path)
    add_version(repository, "intent", "2", split={"made of": "intent/1: int8"})
    with pytest.raises(UsageProblem, match="intent/2 is a variant itself, made of intent/1: int8; name"):
        stored_model(repository, "intent", "2")
    assert stored_model(repository, "intent", None).manifest.version == "1"


def test_variants_can_be_made_of_every_kind_of_model_in_the_repository_without_naming_a_version() -> None:
    for name in ("intent", "text"):
        assert "made of" not in stored_model(COMMITTED, name, None).manifest.split


def test_without_a_model_one_line_says_where_none_was_found(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=f"there is no model intent in {tmp_path}"):
        stored_model(tmp_path, "intent", None)


def test_a_risk_model_is_refused_with_the_reason() -> None:
    with pytest.raises(UsageProblem, match="no products to make smaller"):
        subject_of("risk", ["shop"], Path(), LIFETIMES, Silent())
