"""Fixtures that every test may use."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data sets beside the project; absent on a user's machine."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"the data sets are not here: {folder} does not exist")
    return folder
