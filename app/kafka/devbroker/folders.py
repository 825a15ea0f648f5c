"""Where the development broker keeps things: the XDG base directories of the user."""

import os
from collections.abc import Mapping
from pathlib import Path


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Folder of the downloaded jars; may be deleted at any time (XDG Base Directory Specification 0.8)."""
    return _base(environment, "XDG_CACHE_HOME", ".cache") / "sluice" / "kafka"


def data_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Folder of the brokers' data, a folder for each port in it."""
    return _base(environment, "XDG_DATA_HOME", ".local/share") / "sluice" / "kafka"


def _base(environment: Mapping[str, str], variable: str, fallback: str) -> Path:
    named = Path(environment.get(variable, ""))
    # The specification has relative paths ignored.
    return named if named.is_absolute() else Path.home() / fallback
