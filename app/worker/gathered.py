"""Steps that go into one transaction of a partition, as one: outputs side by side, of each row only the last."""

from collections.abc import Sequence

from app.kafka.fetched import Partition
from app.kafka.producer import Send
from app.publish.outgoing import Outgoing
from app.state.columns import Change
from app.worker.delivery import Step


def gathered_outputs(partition: int, steps: Sequence[Step], now_ms: int) -> list[Send]:
    """The outputs of ``steps`` in one partition: those of each topic together."""
    by_topic: dict[str, list[Outgoing]] = {}
    for step in steps:
        for out in step.work.outgoing:
            if out.partition == partition:
                by_topic.setdefault(out.topic, []).append(out)
    return [_joined(parts, now_ms) for parts in by_topic.values()]


def _joined(parts: Sequence[Outgoing], now_ms: int) -> Send:
    first = parts[0]
    if len(parts) == 1:
        return Send(first.topic, first.partition, now_ms, first.keys, first.values, first.headers)
    return Send(
        first.topic,
        first.partition,
        now_ms,
        [key for part in parts for key in part.keys],
        [value for part in parts for value in part.values],
        None if first.headers is None else [block for part in parts for block in part.headers or ()],
    )


def latest_rows(partition: int, steps: Sequence[Step]) -> Change:
    """The latest of each changed row, in the order in which they were last changed."""
    latest: dict[bytes, bytes | None] = {}
    for step in steps:
        for change in step.work.changes:
            if change.partition == partition:
                for key, value in zip(change.keys, change.values, strict=True):
                    latest.pop(key, None)
                    latest[key] = value
    return Change(partition, list(latest), list(latest.values()))


def next_offsets(partition: int, steps: Sequence[Step]) -> dict[Partition, int]:
    """The input offsets of the partition after the last of ``steps``, by topic."""
    return {tp: offset for step in steps for tp, offset in step.work.next_offsets.items() if tp[1] == partition}
