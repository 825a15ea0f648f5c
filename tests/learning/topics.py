"""Input topics for tests, as the fetches that reading them gives."""

from collections.abc import Iterable

from app.kafka.fetched import Fetched
from app.learning.reading import Gathered, gathered
from app.replay.fetches import Fetches
from app.replay.recorded import RecordedBatch
from tests.fakes import fake_models
from tests.harness import Input, Worker


def of(*inputs: Input) -> Gathered:
    """What the topics hold after these inputs."""
    worker = Worker(fake_models())
    return gathered(worker.fetches(inputs), worker.pipeline)


def of_recording(recording: Iterable[RecordedBatch], partitions: int = 1) -> Gathered:
    """The same of a recording."""
    numbered = Fetches(partitions)
    fetches: list[Fetched] = [fetched for batch in recording for fetched in numbered.of(batch)]
    return gathered(fetches, Worker(fake_models(), partitions).pipeline)
