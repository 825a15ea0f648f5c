"""The connection by which a worker sends its notices: beside its transactions, since they belong to no input."""

from collections.abc import Mapping

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from app.kafka.topics import TopicError, partition_counts
from app.registry.notices import Notice, partition_for

_TIMEOUT_MS = 10_000


class NoticeProducer:
    """An idempotent producer (KIP-98) that starts at the first notice.

    Args:
        broker: HOST:PORT, several with commas.
    """

    def __init__(self, broker: str) -> None:
        self._broker = broker
        self._producer: AIOKafkaProducer | None = None
        self._counts: Mapping[str, int] = {}

    async def send(self, notice: Notice) -> None:
        """See ``app.registry.notices.Send``."""
        if notice.topic not in self._counts:
            # Asked of all topics: to name a missing one would make it on brokers that create topics by themselves.
            self._counts = await partition_counts(self._broker)
        partition = partition_for(notice, self._counts)
        headers = [(name, value or b"") for name, value in notice.headers]
        try:
            producer = await self._started()
            await producer.send_and_wait(notice.topic, notice.value, notice.key, partition=partition, headers=headers)
        except (KafkaError, OSError) as error:
            raise TopicError(f"topic {notice.topic} at {self._broker} took no record: {error!r}") from error

    async def stop(self) -> None:
        """Close the connection."""
        if self._producer is not None:
            await self._producer.stop()

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._broker, enable_idempotence=True, request_timeout_ms=_TIMEOUT_MS
            )
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer
