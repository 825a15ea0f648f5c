"""Jars are what the lock file says, byte for byte, or Kafka does not start."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.kafka.devbroker.errors import DevelopmentBrokerError
from app.kafka.devbroker.jars import Jar, ensure_jars, fetch_jar, read_lock


def jar(name: str, content: bytes) -> Jar:
    return Jar(f"org.example:{name}:1", f"{name}-1.jar", hashlib.sha256(content).hexdigest())


class Registry:
    """Serves jars from memory and remembers which were asked for."""

    def __init__(self, **contents: bytes) -> None:
        self.contents = contents
        self.asked: list[str] = []

    def __call__(self, wanted: Jar, repository: Path) -> Path:
        name = wanted.coordinate.split(":")[1]
        self.asked.append(name)
        path = repository / wanted.file
        path.write_bytes(self.contents[name])
        return path


def test_missing_jars_are_fetched_once_and_kept_in_the_order_of_the_lock(tmp_path: Path) -> None:
    registry = Registry(a=b"first", b=b"second")
    locked = [jar("b", b"second"), jar("a", b"first")]
    for _ in range(2):
        assert ensure_jars(tmp_path, locked, registry) == [tmp_path / "b-1.jar", tmp_path / "a-1.jar"]
    assert sorted(registry.asked) == ["a", "b"]
    assert (tmp_path / "a-1.jar").read_bytes() == b"first"


def test_processes_that_start_together_fetch_a_jar_once(tmp_path: Path) -> None:
    registry = Registry(a=b"first")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ensure_jars(tmp_path, [jar("a", b"first")], registry), range(4)))
    assert registry.asked == ["a"]


def test_a_download_with_other_bytes_is_refused_and_not_kept(tmp_path: Path) -> None:
    expected = jar("a", b"first")
    found = hashlib.sha256(b"tampered").hexdigest()
    with pytest.raises(DevelopmentBrokerError) as refused:
        ensure_jars(tmp_path, [expected], Registry(a=b"tampered"))
    for part in ("a-1.jar", expected.coordinate, expected.sha256, found, "try again"):
        assert part in str(refused.value)
    assert not list(tmp_path.glob("**/*.jar"))


def test_a_damaged_jar_in_the_cache_is_refused_with_the_file_to_delete(tmp_path: Path) -> None:
    cached = tmp_path / "a-1.jar"
    cached.write_bytes(b"damaged")
    with pytest.raises(DevelopmentBrokerError, match=f"delete {cached} and try again"):
        ensure_jars(tmp_path, [jar("a", b"first")], Registry())


def test_a_download_away_from_a_terminal_says_so_in_one_plain_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ensure_jars(tmp_path, [jar("a", b"first")], Registry(a=b"first"))
    captured = capsys.readouterr()
    assert captured.err == f"Downloading Apache Kafka to {tmp_path} (jars: 1)\n"
    assert captured.out == ""


def test_a_network_that_is_not_there_is_said_with_the_jar_and_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with pytest.raises(DevelopmentBrokerError, match=r"cannot download org\.example:a:1: .* try again"):
        fetch_jar(jar("a", b"first"), tmp_path)


def test_a_line_of_the_lock_file_without_its_sum_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "jars.lock"
    lock.write_text("# comment\norg.example:a:1 a-1.jar\n")
    with pytest.raises(DevelopmentBrokerError, match="expected 'coordinate file sha256', found"):
        read_lock(lock)


def test_the_lock_file_pins_kafka_and_its_log_binding_by_sum_and_names_no_host() -> None:
    locked = read_lock()
    coordinates = {entry.coordinate.rpartition(":")[0] for entry in locked}
    assert {"org.apache.kafka:kafka_2.13", "org.slf4j:slf4j-simple"} <= coordinates
    assert all(len(bytes.fromhex(entry.sha256)) == 32 for entry in locked)
    assert len({entry.file for entry in locked}) == len(locked)
    assert not any("/" in entry.coordinate + entry.file for entry in locked)
