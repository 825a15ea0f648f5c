"""Which seeds are played."""

import os
from collections.abc import Iterator

import pytest
import structlog

SEEDS = 200
BLOCKS = 4


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    """What workers log of faults is not looked at, and costs more than the faults."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


def blocks() -> list[range]:
    """Seeds of a normal run in parts, or those that SLUICE_SEED names: one, or ``first-last``."""
    if named := os.environ.get("SLUICE_SEED"):
        first, _, last = named.partition("-")
        return [range(int(first), int(last or first) + 1)]
    return [range(at * SEEDS, (at + 1) * SEEDS) for at in range(BLOCKS)]
