"""A version under another name: the same model, which workers of that name can run."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli.models import models
from app.models.manifest import MANIFEST_FILE, MODEL_FILE, read_manifest
from app.models.runtime import load_risk
from app.registry.loading import RISK
from tests.models.repositories import COMMITTED, add_version, committed


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    add_version(committed(tmp_path), "payments", "1", source=COMMITTED / "payments" / "1")
    return tmp_path


def copy(repository: Path, *arguments: str) -> Result:
    return CliRunner().invoke(models, ["copy", *arguments, "--model-repository", str(repository), "--json"])


def test_the_payment_model_becomes_a_version_of_the_risk_model_that_passes(repository: Path) -> None:
    done = copy(repository, "payments/1", "risk")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["model"] == "risk/2"
    assert RISK.checked(repository, "risk", "2", "cpu").inputs.velocities
    mine, theirs = (read_manifest(repository / name / MANIFEST_FILE) for name in ("risk/2", "payments/1"))
    assert (mine.name, mine.version, mine.digest, mine.metrics) == ("risk", "2", theirs.digest, theirs.metrics)
    assert (repository / "risk/2" / MODEL_FILE).read_bytes() == (repository / "payments/1" / MODEL_FILE).read_bytes()
    assert (repository / "risk/2/card.md").read_text().startswith("# Model card: risk, version 2\n")
    assert load_risk(repository).version == "2"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("payments", "risk"), "name a version"),
        (("payments/1", "payments"), "another model"),
        (("payments/1", "rsik"), "another model that there is"),
        (("payments/7", "risk"), "payments/7/manifest.json"),
        (("intent/1", "risk"), "is a model of kind intent, not risk"),
    ],
)
def test_what_cannot_be_copied_is_told_and_nothing_is_left(
    repository: Path, arguments: tuple[str, str], reason: str
) -> None:
    done = copy(repository, *arguments)
    assert done.exit_code == 2
    assert reason in done.stderr
    assert {path.name for path in repository.iterdir()} == {"intent", "payments", "risk", "text"}
    assert not (repository / "risk/2").exists()
