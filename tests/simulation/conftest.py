"""Which seeds are played."""

import os
from collections.abc import Iterator

import pytest
import structlog

SEEDS = 150
BLOCKS = 4


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    """What workers log of faults is not looked at, and costs more than the faults."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


def blocks() -> list[range]:
    """Seeds of a normal run in parts, or the one that SLUICE_SEED names."""
    if (seed := os.environ.get("SLUICE_SEED")) is not None:
        return [range(int(seed), int(seed) + 1)]
    return [range(at * SEEDS, (at + 1) * SEEDS) for at in range(BLOCKS)]
