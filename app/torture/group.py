"""What the broker says of the group: how far it has committed, and whether anybody is in it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment as MemberAssignment
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from app.kafka.fetched import Partition

_Answer = TypeVar("_Answer")
Offsets = dict[Partition, int]


class Group:
    """Asks the broker, over connections that come back when it does.

    Args:
        broker: ``HOST:PORT``.
        name: of the group.
    """

    def __init__(self, broker: str, name: str) -> None:
        self._broker = broker
        self._name = name
        self._admin: AIOKafkaAdminClient | None = None

    async def committed(self) -> Offsets | None:
        """The committed offset of every input partition that has one; None while the broker does not answer."""
        return await self._ask(self._committed)

    async def is_empty(self) -> bool:
        """Whether the broker says that nobody is in the group."""
        return bool(await self._ask(self._is_empty))

    async def is_settled(self, members: int) -> bool:
        """Whether so many members have partitions, and nobody joins or leaves."""

        async def ask(admin: AIOKafkaAdminClient) -> bool:
            (response,) = await admin.describe_consumer_groups([self._name])
            return all(group[2] == "Stable" and _working(group[5]) == members for group in response.groups)

        return bool(await self._ask(ask))

    async def close(self) -> None:
        """Close the connections."""
        if self._admin is not None:
            admin, self._admin = self._admin, None
            await admin.close()

    async def _ask(self, question: Callable[[AIOKafkaAdminClient], Awaitable[_Answer]]) -> _Answer | None:
        try:
            if self._admin is None:
                admin = AIOKafkaAdminClient(bootstrap_servers=self._broker, request_timeout_ms=5_000)
                await admin.start()
                self._admin = admin
            return await question(self._admin)
        except (KafkaError, OSError):
            await self.close()
            return None

    async def _committed(self, admin: AIOKafkaAdminClient) -> Offsets:
        found: dict[TopicPartition, object] = await admin.list_consumer_group_offsets(self._name)
        return {(tp.topic, tp.partition): each.offset for tp, each in found.items() if each.offset >= 0}  # type: ignore[attr-defined]

    async def _is_empty(self, admin: AIOKafkaAdminClient) -> bool:
        (response,) = await admin.describe_consumer_groups([self._name])
        return all(group[2] in ("Empty", "Dead") for group in response.groups)


def _working(members: Sequence[tuple[object, ...]]) -> int:
    """How many of the described members have partitions."""
    assignments = [MemberAssignment.decode(member[-1]) for member in members if member[-1]]
    return sum(any(numbers for _, numbers in each.assignment) for each in assignments)
