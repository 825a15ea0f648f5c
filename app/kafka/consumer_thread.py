"""The thread in which the consumer talks to the broker: heartbeats go on while the worker computes."""

from collections.abc import Collection, Mapping
from time import monotonic

from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types.transports import TransportT
from mode import get_logger

from app.kafka.fetched import Fetched, Partition
from app.kafka.fetcher import Active, ColumnConsumer, ColumnFetcher
from app.kafka.options import TransportOptions

logger = get_logger(__name__)


class ConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's consumer thread, with a column consumer and commits that may fail."""

    @property
    def _options(self) -> TransportOptions:
        options: TransportOptions = self.app.transport_options
        return options

    def _create_worker_consumer(self, transport: TransportT) -> ColumnConsumer:
        conf = self.app.conf
        self._assignor = self.app.assignor
        return ColumnConsumer(
            self._options,
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset=conf.consumer_auto_offset_reset,
            max_poll_interval_ms=_milliseconds(conf.broker_max_poll_interval),
            request_timeout_ms=_milliseconds(conf.broker_request_timeout),
            check_crcs=conf.broker_check_crcs,
            session_timeout_ms=_milliseconds(conf.broker_session_timeout),
            rebalance_timeout_ms=_milliseconds(conf.broker_rebalance_timeout),
            heartbeat_interval_ms=_milliseconds(conf.broker_heartbeat_interval),
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            connections_max_idle_ms=conf.consumer_connections_max_idle_ms,
            **driver.credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context),
        )

    async def fetch(self, active: Active, held: frozenset[Partition], timeout: float) -> list[Fetched]:
        """From the worker's loop: see `ColumnFetcher.fetched`."""
        pieces: list[Fetched] = await self.call_thread(self._fetch, active, held, timeout)
        return pieces

    async def _fetch(self, active: Active, held: frozenset[Partition], timeout: float) -> list[Fetched]:
        fetcher = self._fetcher
        with fetcher._subscriptions.fetch_context():
            return await fetcher.fetched(active, held, self.app.consumer_generation_id, self._is_flowing, timeout)

    def _is_flowing(self) -> bool:
        return bool(self.consumer.flow_active)

    def hold(self, held: frozenset[Partition]) -> None:
        """From any thread: pause these partitions and no others of the active ones."""
        self.thread_loop.call_soon_threadsafe(self._fetcher.hold, held)

    def activate(self, active: Active) -> None:
        """From any thread: read these partitions, where they are not held, and no others."""
        self.thread_loop.call_soon_threadsafe(self._fetcher.activate, active)

    def rejoin(self) -> None:
        """From any thread: see `Consumer.rejoin`."""
        self.thread_loop.call_soon_threadsafe(self._ensure_consumer()._coordinator.request_rejoin)

    def offsets(self, tp: Partition) -> tuple[int | None, int | None]:
        """From any thread: the partition's end offset as it is known now, and where its reading began."""
        return self._fetcher.end_offset(tp), self._fetcher.start(tp)

    def unknown_topics(self, topics: Collection[str]) -> frozenset[str]:
        """From any thread: those of ``topics`` that the broker's latest metadata lack; it is asked for newer ones.

        Nothing else asks while partitions are held, and what is held may be all that is left of a topic.
        """
        client = self._ensure_consumer()._client
        self.thread_loop.call_soon_threadsafe(client.force_metadata_update)
        return frozenset(topic for topic in topics if not client.cluster.partitions_for_topic(topic))

    def answered_at(self) -> int | None:
        """From any thread: see `ColumnFetcher.answered_at`."""
        return self._fetcher.answered_at()

    @property
    def _fetcher(self) -> ColumnFetcher:
        consumer: ColumnConsumer = self._ensure_consumer()
        return consumer.columns

    async def _commit(self, offsets: Mapping[Partition, int]) -> bool:
        assigned = self.assignment()
        wanted = {
            TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items() if tp in assigned
        }
        try:
            await self._ensure_consumer().commit(wanted)
        except (CommitFailedError, IllegalStateError) as error:
            logger.warning("Commit failed and will be repeated: %s", error)
            return False
        except Exception as error:
            # Not retriable: another worker took this instance's name, or the group is not ours to write.
            await self.crash(error)
            return False
        self.tp_last_committed_at.update(dict.fromkeys(offsets, monotonic()))
        return len(wanted) == len(offsets)


def _milliseconds(seconds: float | None) -> int:
    return int((seconds or 0) * 1000)
