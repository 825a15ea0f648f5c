"""The consumer group: who is a member, in which generation, with which partitions (eager rebalancing)."""

from collections.abc import Collection
from random import Random

from aiokafka.errors import IllegalGenerationError


class Group:
    """Its coordinator, as plain data.

    Args:
        partitions: of each input topic.
        step_records: most records of a worker's step.
    """

    def __init__(self, partitions: int, step_records: int) -> None:
        self.partitions = partitions
        self.step_records = step_records
        self.generation = 0
        self.members: dict[str, list[int]] = {}
        self.is_rebalancing = False
        self.is_asked = False
        self.told: set[str] = set()

    def ask_for_rebalance(self) -> None:
        """Somebody wants the partitions to be given out anew."""
        self.is_asked = True

    def begin_rebalance(self) -> None:
        """From here on members are told to give their partitions up."""
        self.is_rebalancing, self.is_asked = True, False
        self.told = set()

    def complete(self, members: Collection[str], rng: Random) -> None:
        """A new generation of these members; others are no longer any."""
        self.generation += 1
        self.is_rebalancing = False
        self.members = {name: [] for name in members}
        owners = rng.sample(list(members), len(members))
        for number in range(self.partitions):
            at = number % len(owners) if rng.random() < 0.8 else rng.randrange(len(owners))
            self.members[owners[at]].append(number)

    def require(self, member: str, generation: int) -> None:
        """Refuse whoever is not a member of the current generation.

        Raises:
            IllegalGenerationError: it is not.
        """
        if member not in self.members or generation != self.generation:
            raise IllegalGenerationError
