"""Recorded events as the fetches a consumer would return: by topic and partition, with offsets."""

from collections import defaultdict
from collections.abc import Iterator

from app.kafka.fetched import Fetched, Partition
from app.kafka.partition import partitions_of
from app.replay.recorded import RecordedBatch


class Fetches:
    """Numbers the records of a recording as a broker with ``partitions`` partitions would."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._offsets: defaultdict[Partition, int] = defaultdict(int)

    def of(self, batch: RecordedBatch) -> Iterator[Fetched]:
        """The events of ``batch``, one fetch for each topic and partition that has any."""
        rows: defaultdict[Partition, list[int]] = defaultdict(list)
        partitions = partitions_of(batch.keys, self._partitions).tolist()
        for row, partition in enumerate(zip(batch.topics, partitions, strict=True)):
            rows[partition].append(row)
        for partition, own in rows.items():
            yield self._fetch(partition, batch.take(own))

    def _fetch(self, tp: Partition, batch: RecordedBatch) -> Fetched:
        first = self._offsets[tp]
        end = self._offsets[tp] = first + len(batch)
        return Fetched(
            topic=tp[0],
            partition=tp[1],
            first_offset=first,
            next_offset=end,
            end_offset=end,
            generation=0,
            size=sum(map(len, batch.values)),
            offsets=range(first, end),
            timestamps=batch.timestamps,
            keys=[key or None for key in batch.keys],
            values=list(batch.values),
            headers=None,
        )
