"""Start, stop, crash and wipe a single-node Kafka that keeps everything in one data folder."""

import base64
import os
import random
import secrets
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from app.kafka.devbroker import process
from app.kafka.devbroker.errors import DevelopmentBrokerError
from app.kafka.devbroker.folders import cache_folder
from app.kafka.devbroker.jars import ensure_jars, read_lock
from app.kafka.devbroker.java import find_java
from app.kafka.devbroker.locks import locked
from app.kafka.devbroker.ports import LOOPBACK, free_port, is_free
from app.kafka.devbroker.process import Files, Running
from app.kafka.devbroker.properties import node_properties, to_text

_READY = "Kafka Server started"
_PORT_TAKEN = "Address already in use"
_START_TIMEOUT_S = 60.0
_POLL_S = 0.02
_PORT_TRIES = 5


class DevelopmentBroker:
    """A real Apache Kafka node on the loopback interface, for development, tests and benchmarks.

    As a context manager it runs inside the block and its data stays. `port` 0 takes a free one at the first
    start and keeps it from then on. Every method raises DevelopmentBrokerError with what to do.
    """

    def __init__(self, data: Path, port: int = 0) -> None:
        self._files = Files(data.expanduser().resolve())
        self._port = port
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """The bootstrap address, `127.0.0.1:PORT`; of the running broker, else of the last start."""
        return f"{LOOPBACK}:{self._port}"

    @property
    def log_file(self) -> Path:
        """Kafka's own log of its last start."""
        return self._files.output

    @property
    def data(self) -> Path:
        """The folder that holds the topics."""
        return self._files.data

    @property
    def topics_folder(self) -> Path:
        """Kafka's own folders, one for each partition, `<topic>-<number>`."""
        return self._files.log_folder

    def running(self) -> Running | None:
        """Return the process and port of the broker that runs with this data, or None."""
        running = process.find_running(self._files)
        if running is not None and self._port not in (0, running.port):
            raise DevelopmentBrokerError(
                f"Kafka runs on {running.address} with the data in {self.data}, and not on port "
                f"{self._port}: say --port {running.port} for that one, or choose another folder with --data"
            )
        return running

    def start(self) -> bool:
        """Start the broker and return once it serves requests; False if it ran already."""
        with locked(self._files.lock):
            running = self.running()
            if running is not None:
                self._port = running.port
                return False
            self._start()
            return True

    def stop(self) -> bool:
        """Stop the broker, within seconds and without losing data; False if it did not run."""
        if not self.data.exists():
            return False
        with locked(self._files.lock):
            running = self.running()
            if running is not None:
                process.terminate(running.pid)
                self._reap()
            return running is not None

    def kill(self) -> None:
        """End the broker as a crash would: SIGKILL, nothing flushed or said."""
        running = self.running()
        if running is not None:
            process.kill(running.pid)
            self._reap()

    def restart(self) -> None:
        """Stop the broker if it runs and start it again, with its data, on the same port."""
        self.stop()
        self.start()

    def wipe(self) -> None:
        """Stop the broker and delete its topics, settings and log; other files in the folder stay."""
        self.stop()
        if self.data.exists():
            with locked(self._files.lock):
                self._files.delete()

    def _reap(self) -> None:
        if self._child is not None:
            self._child.wait()
            self._child = None

    def _start(self) -> None:
        choice = random.SystemRandom()
        for _ in range(_PORT_TRIES):
            port = self._port or free_port(choice)
            if not is_free(port):
                break
            self._configure(port, free_port(choice))
            command = self._java_command()
            self._format(command)
            if self._launch(command, port):
                self._port = port
                return
        raise DevelopmentBrokerError(
            f"port {port} on {LOOPBACK} is taken; stop the program that listens there, or choose another "
            "port with --port"
        )

    def _java_command(self) -> list[str]:
        class_path = ":".join(map(str, ensure_jars(cache_folder(), read_lock())))
        return [
            str(find_java(os.environ).executable),
            *("-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:+ExitOnOutOfMemoryError"),
            # Only the fast compiler: on two cores Kafka starts and moves millions of records with less CPU so.
            "-XX:TieredStopAtLevel=1",
            "-Djava.net.preferIPv4Stack=true",
            f"-Djava.io.tmpdir={self._files.temporary}",
            # Warnings, and the one line that tells that the broker serves.
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
            *("-cp", class_path),
        ]

    def _configure(self, port: int, controller_port: int) -> None:
        self._files.temporary.mkdir(parents=True, exist_ok=True)
        properties = node_properties(port, controller_port, self._files.log_folder)
        self._files.properties.write_text(to_text(properties))

    def _format(self, command: list[str]) -> None:
        if (self._files.log_folder / "meta.properties").exists():
            return
        # 16 bytes in URL-safe base64; the first is 0 because an id with a leading '-' reads as an option.
        cluster = base64.urlsafe_b64encode(bytes(1) + secrets.token_bytes(15)).decode().rstrip("=")
        arguments = ["format", "-t", cluster, "-c", str(self._files.properties)]
        with self._files.output.open("wb") as output:
            done = subprocess.run(
                [*command, "kafka.tools.StorageTool", *arguments], stdout=output, stderr=subprocess.STDOUT
            )
        if done.returncode != 0:
            raise self._failed("could not format its data folder")

    def _launch(self, command: list[str], port: int) -> bool:
        """Run Kafka until it serves; False if another program took one of its ports in between."""
        with self._files.output.open("wb") as output:
            kafka = subprocess.Popen(
                [*command, "kafka.Kafka", str(self._files.properties)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Its own session: neither Ctrl-C nor the terminal's end reaches it.
                start_new_session=True,
            )
        process.record(self._files, Running(kafka.pid, port))
        try:
            serves = self._await_ready(kafka)
        except BaseException:
            kafka.kill()
            kafka.wait()
            raise
        self._child = kafka if serves else None
        return serves

    def _await_ready(self, kafka: "subprocess.Popen[bytes]") -> bool:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while _READY not in self._log():
            if kafka.poll() is not None:
                if _PORT_TAKEN in self._log():
                    return False
                raise self._failed("ended while it started")
            if time.monotonic() > deadline:
                raise self._failed(f"did not start within {_START_TIMEOUT_S:.0f} s")
            time.sleep(_POLL_S)
        return True

    def _log(self) -> str:
        return self._files.output.read_text(errors="replace")

    def _failed(self, what: str) -> DevelopmentBrokerError:
        return DevelopmentBrokerError(
            f"Kafka {what}; see {self._files.output}, and if the data is damaged, run `sluice kafka wipe`"
        )
