"""Fixtures that every test may use."""

from pathlib import Path

import pytest

from tests.harness import Feed, Worker

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data sets beside the project; absent on a user's machine."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"the data sets are not here: {folder} does not exist")
    return folder


@pytest.fixture(params=["together", "one by one"])
def feed(request: pytest.FixtureRequest) -> Feed:
    """How inputs are fed: what comes out must not depend on it."""
    return Worker.run if request.param == "together" else Worker.each
