"""Settings: which source wins, and what a wrong value answers."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.cli.errors import UsageProblem
from app.ops.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SLUICE_{name.upper()}", raising=False)
    return tmp_path


def problem(**flags: object) -> str:
    with pytest.raises(UsageProblem) as caught:
        load_settings(**flags)
    return str(caught.value)


def test_flag_over_variable_over_file_over_default(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().partitions == 8
    (folder / "sluice.toml").write_text("partitions = 3\ngrace_ms = 5\n")
    assert load_settings().partitions == 3
    monkeypatch.setenv("SLUICE_PARTITIONS", "4")
    assert load_settings().partitions == 4
    assert load_settings(partitions="5").partitions == 5
    assert load_settings(partitions="5").grace_ms == 5


def test_a_flag_not_given_leaves_the_setting_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_BROKER", "kafka:9092")
    assert load_settings(broker=None).broker == "kafka:9092"


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_BROKER", "")
    assert load_settings().broker == "127.0.0.1:9092"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().partitions = 9


def test_state_lives_in_the_users_state_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert load_settings().state_dir == folder / ".local" / "state" / "sluice"
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "xdg"))
    assert load_settings().state_dir == folder / "xdg" / "sluice"
    assert load_settings(state_dir="~/mine").state_dir == folder / "mine"


def test_models_are_found_from_any_working_directory() -> None:
    assert load_settings().model_repository == Path(__file__).resolve().parents[2] / "onnx"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("partitions", "0", "must be greater than or equal to 1"),
        ("partitions", "many", "must be a valid integer"),
        ("broker", "localhost", "must be HOST:PORT"),
        ("broker", "a:9092,b:99999", "'b:99999' is not"),
        ("instance", "../other", "must match pattern"),
        ("guarantee", "maybe", "must be 'exactly_once' or 'at_least_once'"),
        ("provider", "tpu", "must be 'auto', 'cpu' or 'cuda'"),
        ("http_port", "70000", "must be less than or equal to 65535"),
        ("watchdog_s", "nan", "must be a finite number"),
        ("history_ttl_ms", "1000", "must be at least session_gap_ms, 1800000"),
    ],
)
def test_a_bad_value_names_setting_value_source_and_rule(name: str, value: str, allowed: str) -> None:
    line = problem(**{name: value})
    assert line.startswith(f"{name} is {value!r} (from --{name.replace('_', '-')}): ")
    assert allowed in line
    assert "\n" not in line


def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_GRACE_MS", "-1")
    assert problem().startswith("grace_ms is '-1' (from SLUICE_GRACE_MS): must be greater than or equal to 0")


def test_a_bad_value_in_the_file_is_named(folder: Path) -> None:
    (folder / "sluice.toml").write_text("grace_ms = -1\n")
    assert problem().startswith("grace_ms is -1 (from sluice.toml): ")


def test_a_default_that_another_setting_rules_out_is_named() -> None:
    assert "history_ttl_ms is 2592000000 (the default): " in problem(session_gap_ms=10**12)


def test_an_unknown_key_of_the_file_lists_the_settings(folder: Path) -> None:
    (folder / "sluice.toml").write_text('brokers = "a:1"\n')
    line = problem()
    assert line.startswith("'brokers' (from sluice.toml) is no setting; the settings are ")
    assert "broker," in line


def test_a_file_that_is_not_toml_is_one_line(folder: Path) -> None:
    (folder / "sluice.toml").write_text("broker =\n")
    assert problem().startswith("sluice.toml is not valid TOML: ")


def test_every_setting_says_what_it_is_and_times_and_sizes_name_their_unit() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        counts = {"partitions", "http_port", "max_batch_records", "model_window", "model_probation"}
        counts |= {"drift_one_in", "drift_min_rows"}
        ratios = {"model_max_failures", "model_max_slowdown", "model_max_shift", "drift_max_psi"}
        if field.annotation in (int, float) and name not in counts | ratios:
            unit = name.rpartition("_")[2]
            assert unit in ("ms", "s", "bytes"), name
            assert field.description.startswith(f"{unit} "), name
