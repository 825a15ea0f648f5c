"""What the tests of a worker's registry share."""

import pytest

from tests.registry.stage import Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()
