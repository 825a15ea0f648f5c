"""What a worker says of its models to others: its status, a version it took out of force, and the alert about that."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec
import structlog

from app.kafka.fetched import Headers
from app.kafka.partition import partition_of
from app.kafka.topics import TopicError
from app.publish.outgoing import cloud_event
from app.registry.guard import Fault
from schemas.control import ModelControl, ModelStatus
from schemas.outputs import Alert, AlertSubject, ModelRef, Severity
from schemas.topics import ALERTS, MODEL_CONTROL, MODEL_STATUS

log = structlog.get_logger(__name__)

_AGAIN_S = 2.0


class Notice(msgspec.Struct, frozen=True):
    """One record for one of the topics."""

    topic: str
    key: bytes
    value: bytes | None
    headers: Headers = []


Send = Callable[[Notice], Awaitable[None]]
"""Appends a record; it is durable when this returns.

Raises:
    TopicError: it could not be appended.
"""


class Notices:
    """Sends notices in order, from a task of its own, so that nobody waits for the broker.

    A status that the broker does not take is sent again with the next; all others are tried until they are taken.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: asyncio.Queue[Notice] = asyncio.Queue()
        self._said: set[str] = set()

    def put(self, notice: Notice) -> None:
        """Send a notice, soon."""
        self._waiting.put_nowait(notice)

    async def run(self) -> None:
        """Send what there is, for ever."""
        while True:
            await self._deliver(await self._waiting.get())
            self._waiting.task_done()

    async def flush(self) -> None:
        """Send what there is, once each, and wait for what is being sent."""
        while not self._waiting.empty():
            await self._try(self._waiting.get_nowait())
            self._waiting.task_done()
        await self._waiting.join()

    async def _deliver(self, notice: Notice) -> None:
        while not await self._try(notice) and notice.topic != MODEL_STATUS:
            await asyncio.sleep(_AGAIN_S)

    async def _try(self, notice: Notice) -> bool:
        try:
            await self._send(notice)
        except TopicError as problem:
            if str(problem) not in self._said:
                self._said.add(str(problem))
                log.warning("a notice about a model was not sent", topic=notice.topic, reason=str(problem))
            return False
        return True


def control_notice(control: ModelControl) -> Notice:
    """The control record."""
    return Notice(MODEL_CONTROL, control.name.encode(), msgspec.json.encode(control))


def status_key(group: str, instance: str, name: str) -> bytes:
    """The key of a worker's status of a model."""
    return f"{group}/{instance}/{name}".encode()


def status_notice(status: ModelStatus) -> Notice:
    """The status."""
    return Notice(MODEL_STATUS, status_key(status.group, status.instance, status.name), msgspec.json.encode(status))


def fault_alert(name: str, fault: Fault, revision: int, now_ms: int) -> Notice:
    """The alert that a version was taken out of force; all workers that see the same make the same one."""
    severity: Severity = "critical" if fault.role == "serving" else "warning"
    what = {
        "serving": "was rolled back",
        "canary": "is no longer a canary",
        "shadow": "is no longer a shadow",
    }[fault.role]
    title = f"Model {name}/{fault.version} {what}: {fault.reason}"
    code = f"MODEL_{fault.kind.upper()}"
    return _alert(name, fault.version, f"{fault.kind}:{revision}", severity, title, code, now_ms)


def refusal_alert(name: str, version: str, reason: str, revision: int, now_ms: int) -> Notice:
    """The alert that workers do not run a version that they were told to."""
    title = f"Model {name}/{version} was refused: {reason}"
    return _alert(name, version, f"refused:{revision}", "warning", title, "MODEL_REFUSED", now_ms)


def _alert(name: str, version: str, what: str, severity: Severity, title: str, code: str, now_ms: int) -> Notice:
    subject = f"{name}/{version}"
    id_ = f"model:{subject}:{what}"
    alert = Alert(
        event_id=f"{id_}:alert",
        ts=now_ms,
        scored_at=now_ms,
        alert_id=id_,
        kind="model",
        severity=severity,
        title=title[:256],
        subject=AlertSubject("model", subject),
        count=1,
        first_ts=now_ms,
        last_ts=now_ms,
        reasons=[code],
        model=ModelRef(name, version),
    )
    headers = cloud_event(ALERTS, alert.event_id, now_ms, b"application/json", None)
    return Notice(ALERTS, subject.encode(), msgspec.json.encode(alert), headers)


def partition_for(notice: Notice, counts: Mapping[str, int]) -> int:
    """The partition of a notice's key.

    Raises:
        TopicError: the topic is not there.
    """
    if notice.topic not in counts:
        raise TopicError(f"there is no topic {notice.topic}: make it with `sluice topics create`")
    return partition_of(notice.key, counts[notice.topic])
