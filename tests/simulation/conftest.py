"""Which seeds are played."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

SEEDS = 150
BLOCKS = 8


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    """What workers log of faults is not looked at, and costs more than the faults."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


def blocks() -> list[Any]:
    """Seeds of a normal run in parts, all but the first of them slow; or those that SLUICE_SEED names."""
    if named := os.environ.get("SLUICE_SEED"):
        first, _, last = named.partition("-")
        return [range(int(first), int(last or first) + 1)]
    parts = [range(at * SEEDS, (at + 1) * SEEDS) for at in range(BLOCKS)]
    return [parts[0], *(pytest.param(part, marks=pytest.mark.slow) for part in parts[1:])]
