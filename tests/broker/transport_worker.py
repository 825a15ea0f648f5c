"""A worker process for the shutdown tests: `transport_worker.py BROKER GROUP FOLDER TOPIC OUT steady|stuck`."""

import sys
import time
from pathlib import Path

from app.kafka.faust_app import BatchApp
from app.kafka.fetched import Fetched
from app.kafka.producer import Send
from tests.broker.transport_app import Handle, make_durable, worker


def main() -> None:
    kafka, group, folder, topic, output, behaviour = sys.argv[1:]

    async def steady(app: BatchApp, fetched: Fetched) -> None:
        records = Send(output, fetched.partition, fetched.timestamps[0], fetched.keys, fetched.values)
        sent = await app.producer.send_records(records)
        await sent
        await make_durable(app, fetched)
        sys.stdout.write("progress\n")
        sys.stdout.flush()

    async def stuck(app: BatchApp, fetched: Fetched) -> None:
        sys.stdout.write("progress\n")
        sys.stdout.flush()
        time.sleep(600)

    handles: dict[str, Handle] = {"steady": steady, "stuck": stuck}
    app, _ = worker(kafka, Path(folder), [topic], handles[behaviour], group=group, instance="one")
    app.shutdown_deadline = 8.0
    app.Worker(loglevel="WARN", quiet=True).execute_from_commandline()


if __name__ == "__main__":
    main()
