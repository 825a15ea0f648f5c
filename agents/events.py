"""Clicks, orders and labels, partition by partition, into the engine.

One agent reads all three topics, since an order is judged by the clicks before it: the engine merges a partition's
topics by event time. Each stream event is the batch that one fetch returned for one partition. What the engine
publishes and when offsets move, it decides itself: see `app/worker/processor.py`.
"""

from faust.types import StreamT

from app.kafka.faust_app import BatchApp
from app.worker.processor import Processor
from schemas.topics import INPUTS


def register(app: BatchApp, processor: Processor) -> None:
    """Add the agent to a worker's app."""

    @app.agent(app.topic(*(topic.name for topic in INPUTS)), name="events")  # type: ignore[untyped-decorator]
    async def events(stream: StreamT) -> None:
        async for fetched in stream:
            processor.feed(fetched)
