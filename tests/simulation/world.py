"""The world of one seed, and what may happen in it."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random
from typing import TypeAlias

from aiokafka.errors import KafkaConnectionError, KafkaError, RequestTimedOutError, UnknownError

from app.kafka.fetched import Partition
from tests.simulation.broker import Kafka
from tests.simulation.clients import Clients
from tests.simulation.disk import Disk
from tests.simulation.group import Group
from tests.simulation.inputs import RECIPES, expected
from tests.simulation.loop import SimulatedLoop
from tests.simulation.nature import Nature
from tests.simulation.wire import Client, Request, Wire
from tests.simulation.worker import Parts, Worker

Action: TypeAlias = Callable[[], None]


class World:
    """Everything there is."""

    def __init__(self, seed: int, guarantee: str, parts: Parts) -> None:
        self.rng = Random(f"{guarantee} {seed}")
        self.guarantee = guarantee
        self.parts = parts
        self.expected = expected(seed % RECIPES)
        self.nature = Nature.of(self.rng)
        self.kafka, self.wire = Kafka(), Wire()
        self._append(dict.fromkeys(self.expected.logs, 0), self.expected.first)
        self.clients = Clients(self.kafka, self.wire)
        self.step_records = self.rng.choice([4, 12, 64, 64])
        self.group = Group(self.expected.partitions, self.step_records)
        self.disks = {f"worker-{number}": Disk() for number in range(self.rng.choice([1, 2, 2, 3]))}
        self.workers: dict[str, Worker] = {}
        self.trace: list[str] = []
        self.faults: Counter[str] = Counter()

    def _possible(self) -> dict[str, list[Action]]:
        awake = [worker for worker in self.workers.values() if not worker.is_paused]
        asleep = [worker for worker in self.workers.values() if worker.is_paused]
        group = self.group
        return {
            "fetch": [partial(self._fetch, w) for w in awake if w.readable],
            "broker": [self._broker] if self.wire.requests else [],
            "restart": [partial(self._start, n) for n in self.disks if n not in self.workers],
            "tell": [partial(self._tell, w) for w in self._untold(awake)],
            "complete": [self._complete] if self._all_ready() else [],
            "commit": [partial(self._commit, w) for w in awake if w.readable],
            "wake": [partial(self._wake, w) for w in asleep],
            "rebalance": [self._rebalance] if not group.is_rebalancing and awake else [],
            "cut": [partial(self._cut, w) for w in awake if w.is_draining],
            "crash": [partial(self._crash, w) for w in self.workers.values()],
            "wipe": [partial(self._wipe, n) for n in self.disks if n not in self.workers],
            "pause": [partial(self._pause, w) for w in awake],
            "expel": [self._complete] if group.is_rebalancing and self._ready() else [],
            "time out": [partial(self._time_out, i) for i in self.kafka.transactions(decided=False)],
            "finish": [partial(self._finish, i) for i in self.kafka.transactions(decided=True)],
        }

    # What the seed may choose.

    def _start(self, name: str) -> None:
        self._note(f"start {name}")
        client = self.clients.by_name[name] = Client(name, SimulatedLoop())
        worker = Worker(client, self.kafka, self.wire, self.group, self.disks[name], self.guarantee, self.parts)
        self.workers[name] = worker
        group = self.group
        if name in group.members and not group.is_rebalancing and self.rng.random() < 0.5:
            worker.assign(group.generation, group.members[name])  # a static member is given back what it had
        elif not group.is_rebalancing:
            group.begin_rebalance()
            group.told.add(name)
        else:
            group.told.add(name)
        self._settle(worker)

    def _fetch(self, worker: Worker) -> None:
        most = self.rng.choice(self.nature.fetches)
        tps = [tp for tp in worker.readable if len(self.nature.fetches) == 1 or self.rng.random() < 0.7]
        self._note(f"{worker.name} fetches up to {most} of {tps}")
        for tp in tps:
            worker.fetch(tp, most)
        self._settle(worker)

    def _broker(self) -> None:
        request = self.rng.choice(self.wire.next_ones())
        nature, chance = self.nature, self.rng.random()
        if request.is_done:
            self._answer(request)
        elif chance < nature.refused and not request.is_reading:
            self._fault("a request was not done")
            request.refuse(self._error())
            self._answer(request)
        elif chance < 1.3 * nature.refused and not request.is_reading:
            self._fault("a request came late")
            request.give_up()
            self._settle_client(request)
        else:
            request.take_effect()
            if request.error is None and chance > 1 - nature.unheard and not request.is_reading:
                self._fault("an answer was lost")
                request.lose_answer(self._error())
            if self.rng.random() < nature.late_answer:
                self._note(f"{request.client.name}: {request.what}: done, {request.error or 'well'}")
            else:
                self._answer(request)

    def _error(self) -> KafkaError:
        """One that is worth a repetition, or one that is not."""
        return self.rng.choice([KafkaConnectionError, RequestTimedOutError, UnknownError])("simulated")

    def _finish(self, transactional_id: str) -> None:
        self._note(f"the markers of {transactional_id} are written")
        self.kafka.finish(transactional_id)

    def _answer(self, request: Request) -> None:
        self._note(f"{request.client.name}: {request.what}: {request.error or 'ok'}")
        self.wire.requests.remove(request)
        request.answer()
        self._settle_client(request)

    def _settle_client(self, request: Request) -> None:
        if (worker := self._living(request)) is not None and not worker.is_paused:
            self._settle(worker)

    def _tell(self, worker: Worker) -> None:
        self._note(f"{worker.name} is told to give up its partitions")
        self.group.told.add(worker.name)
        worker.revoke()
        self._settle(worker)
        if not self.group.is_rebalancing:  # it was expelled and asks to be let in again
            self.group.begin_rebalance()
            self.group.told.add(worker.name)

    def _complete(self) -> None:
        ready = self._ready()
        self._resolve_requests_of_losers()
        self.group.complete([worker.name for worker in ready], self.rng)
        self._note(f"generation {self.group.generation}: {self.group.members}")
        for worker in ready:
            worker.assign(self.group.generation, self.group.members[worker.name])
        for worker in ready:
            self._settle(worker)

    def _rebalance(self) -> None:
        self._fault("rebalance")
        self.group.begin_rebalance()

    def _cut(self, worker: Worker) -> None:
        self._fault("a drain was cut short")
        worker.cut_drain()
        self._settle(worker)

    def _crash(self, worker: Worker) -> None:
        self._fault("crash")
        self._note(f"{worker.name} is killed")
        self._end(worker)

    def _wipe(self, name: str) -> None:
        self._fault("disk lost")
        self.disks[name] = Disk()

    def _pause(self, worker: Worker) -> None:
        self._fault("pause")
        self._note(f"{worker.name} falls asleep")
        worker.is_paused = True

    def _wake(self, worker: Worker) -> None:
        self._note(f"{worker.name} wakes up")
        worker.is_paused = False
        self._settle(worker)

    def _time_out(self, transactional_id: str) -> None:
        self._fault("a transaction timed out")
        self.kafka.time_out(transactional_id)

    def _commit(self, worker: Worker) -> None:
        worker.commit()
        self._settle(worker)

    # How the world goes on by itself.

    def _settle(self, worker: Worker) -> None:
        worker.loop.settle(seconds=0.01)

    def _bury(self) -> None:
        """Processes that cannot go on end; and the group does what somebody asked it for."""
        for worker in [worker for worker in self.workers.values() if worker.failure is not None]:
            self._note(f"{worker.name} ends: {worker.failure!r}")
            self.faults["a process ended"] += 1
            self._end(worker)
        if self.group.is_asked and not self.group.is_rebalancing:
            self.group.begin_rebalance()

    def _end(self, worker: Worker) -> None:
        worker.die()
        self.disks[worker.name].crash(self.rng)
        del self.workers[worker.name]
        self._resolve(lambda request: request.client is worker.client)

    def _resolve_requests_of_losers(self) -> None:
        self._resolve(lambda request: request.client.name not in [worker.name for worker in self._ready()])

    def _resolve(self, concerned: Callable[[Request], bool]) -> None:
        """Outputs on their way that no transaction fences arrive or never do, before others take over."""
        for request in [one for one in self.wire.requests if one.breaks and not one.is_done and concerned(one)]:
            if self.rng.random() < 0.3:
                request.refuse(KafkaConnectionError("simulated"))
            else:
                request.take_effect()

    def _living(self, request: Request) -> Worker | None:
        worker = self.workers.get(request.client.name)
        return worker if worker is not None and worker.client is request.client else None

    def _untold(self, awake: list[Worker]) -> list[Worker]:
        """Who must give its partitions up and does not know yet: in a rebalance all, else those that were expelled."""
        group = self.group
        if group.is_rebalancing:
            return [worker for worker in awake if worker.name not in group.told]
        return [worker for worker in awake if worker.name not in group.members]

    def _ready(self) -> list[Worker]:
        return [
            worker
            for worker in self.workers.values()
            if worker.name in self.group.told and not worker.is_draining and not worker.is_paused
        ]

    def _all_ready(self) -> bool:
        awake = [worker for worker in self.workers.values() if not worker.is_paused]
        return self.group.is_rebalancing and bool(awake) and len(self._ready()) == len(awake)

    def _append(self, starts: dict[Partition, int], ends: dict[Partition, int]) -> None:
        for tp, log in self.expected.logs.items():
            self.kafka.logs[tp] += log[starts[tp] : ends[tp]]

    def _note(self, what: str) -> None:
        self.trace.append(what)

    def _fault(self, what: str) -> None:
        self.faults[what] += 1
        self.trace.append(f"FAULT {what}")
