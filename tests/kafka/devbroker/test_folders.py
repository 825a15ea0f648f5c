"""The development broker keeps its files where the XDG base directories say."""

from pathlib import Path

import pytest

from app.kafka.devbroker.folders import cache_folder, data_folder


def test_the_variables_name_the_folders() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/fast"}) == Path("/fast/sluice/kafka")
    assert data_folder({"XDG_DATA_HOME": "/big"}) == Path("/big/sluice/kafka")


@pytest.mark.parametrize("value", ["", "relative/folder"])
def test_an_empty_or_relative_variable_is_ignored(value: str) -> None:
    assert cache_folder({"XDG_CACHE_HOME": value}) == Path.home() / ".cache/sluice/kafka"
    assert data_folder({"XDG_DATA_HOME": value}) == Path.home() / ".local/share/sluice/kafka"
