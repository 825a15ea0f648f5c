"""The Faust app that the transport needs: settings that are the same for every worker and every test."""

import asyncio
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

import faust
from mode import get_logger

from app.kafka.consumer import BatchSchema
from app.kafka.options import TransportOptions

logger = get_logger(__name__)

_LAST_TURN_S = 1.0


class BatchApp(faust.App):  # type: ignore[misc]
    """A Faust app that carries the options of the batch transport."""

    transport_options = TransportOptions()
    shutdown_deadline = 20.0


class DeadlineWorker(faust.Worker):  # type: ignore[misc]
    """A worker that a signal ends: by an orderly stop, or at the deadline whatever it is doing then.

    The deadline is kept by a thread, so that a blocked event loop cannot miss it. What is not committed by
    then is done again by the next owner. The exit code at the deadline is 1.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.spinner = None  # it writes control sequences to standard output, also where that is a pipe
        self._deadline: threading.Timer | None = None

    def _install_signal_handlers_unix(self) -> None:
        super()._install_signal_handlers_unix()
        for number in (signal.SIGINT, signal.SIGTERM):
            # The event loop still hears of the signal, if it is not blocked.
            signal.signal(number, self._start_deadline)

    def _start_deadline(self, number: int, frame: FrameType | None) -> None:
        if self._deadline is None:
            seconds = self.app.shutdown_deadline
            self._deadline = threading.Timer(seconds, _give_up, [seconds])
            self._deadline.daemon = True
            self._deadline.start()

    async def _sentinel_task(self) -> None:
        """The last turn of the event loop, for what was cancelled just before; mode sleeps for a second here."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            await asyncio.wait(left, timeout=_LAST_TURN_S)


def _give_up(seconds: float) -> None:
    logger.critical("The worker has not stopped within %s s and ends now", seconds)
    os._exit(1)


def create_app(
    group: str,
    broker: str,
    data_dir: Path,
    *,
    instance: str | None = None,
    options: TransportOptions | None = None,
    commit_interval: float = 0.5,
    session_timeout: float = 10.0,
    shutdown_deadline: float = 20.0,
    settings: Mapping[str, object] | None = None,
) -> BatchApp:
    """Make an app whose topics deliver `Fetched` batches and whose commits follow `app.consumer.ledger`.

    Topics of one app with equal numbers of partitions are co-partitioned: Faust's assignor gives the same
    partition numbers of all of them to the same worker, with or without tables.

    Args:
        group: id of the app and of its consumer group.
        broker: `host:port`, several with commas.
        data_dir: for what Faust keeps on disk.
        instance: name of the static group member (KIP-345): a worker that returns under it within
            `session_timeout` seconds gets its partitions back without a rebalance.
        options: of the transport; the defaults where None.
        commit_interval: seconds between commits.
        session_timeout: seconds without a heartbeat after which the partitions go to others.
        shutdown_deadline: seconds from a signal to the end of the process, at the latest.
        settings: of Faust, such as `TableManager`, `PartitionAssignor` or `store`; they win over those here.
    """
    app = BatchApp(
        group,
        **{
            "broker": [f"batchkafka://{address}" for address in broker.split(",")],
            "datadir": data_dir,
            "consumer_group_instance_id": instance,
            "consumer_auto_offset_reset": "earliest",
            "processing_guarantee": "at_least_once",
            "broker_commit_interval": commit_interval,
            "broker_session_timeout": session_timeout,
            "broker_heartbeat_interval": session_timeout / 4,
            "broker_rebalance_timeout": 4 * session_timeout,
            "broker_request_timeout": max(30.0, 2 * session_timeout),
            "producer_request_timeout": 30.0,
            "Schema": BatchSchema,
            "Worker": DeadlineWorker,
            # A restarted agent would go on behind the batch that failed, and make that look durable.
            "agent_supervisor": "mode.supervisors:CrashingSupervisor",
            "stream_wait_empty": True,
            "topic_disable_leader": True,
            "topic_allow_declare": False,
            "web_enabled": False,
            "worker_redirect_stdouts": False,
            **(settings or {}),
        },
    )
    app.transport_options = options or TransportOptions()
    app.shutdown_deadline = shutdown_deadline
    return app
