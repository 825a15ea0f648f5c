"""The Faust transport `batchkafka://host:port`: one event for each fetched batch, record batches out."""

from faust.transport.drivers import aiokafka as driver

from app.kafka.consumer import Consumer
from app.kafka.producer import Producer


class Transport(driver.Transport):  # type: ignore[misc]
    """Registered in the entry-point group `faust.transports`; the app must be an `app.kafka.faust_app.BatchApp`."""

    Consumer = Consumer
    Producer = Producer
