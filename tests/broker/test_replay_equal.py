"""Live equals replay: the same events through Kafka and a worker, and in process, give the same outputs."""

import asyncio
import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from app.kafka.record_batch import encode_headers
from app.publish.outgoing import Outgoing
from app.replay.files import TopicFiles
from app.replay.shop import Shop
from schemas.topics import DEAD_LETTER, INTENT_EVENTS, OUTPUTS, RISK_EVENTS, SESSION_EVENTS, TOPICS
from tests.broker.command import sluice
from tests.broker.conftest import MakeTopics

pytestmark = [pytest.mark.broker, pytest.mark.slow]

PARTITIONS = 4
Outputs = dict[str, list[Any]]
"""By topic and user the values in order, without the time of scoring."""


def through_kafka(kafka: str, file: Path, kind: str, folder: Path, *flags: str) -> tuple[dict[str, Any], Outputs]:
    """The worker's figures, and what it put on the output topics."""
    sent = sluice("replay", str(file), "--as", kind, "--broker", kafka, "--json")
    assert sent.code == 0, sent.error
    group = f"equal-{random.SystemRandom().getrandbits(32):x}"
    options = ["--broker", kafka, "--group", group, "--state-dir", str(folder / "state"), "--until-end", "--json"]
    worked = sluice("worker", *options, *flags)
    assert worked.code == 0, worked.error
    asyncio.run(write_topics(kafka, folder / "kafka"))
    return json.loads(worked.output), read(folder / "kafka")


def in_process(file: Path, kind: str, folder: Path, *flags: str) -> tuple[dict[str, Any], Outputs]:
    options = ["--as", kind, "--out", str(folder), "--partitions", str(PARTITIONS), "--json"]
    done = sluice("replay", str(file), *options, *flags)
    assert done.code == 0, done.error
    return json.loads(done.output), read(folder)


async def write_topics(kafka: str, folder: Path) -> None:
    """Everything on the output topics, into the files that a replay writes."""
    async with AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest") as consumer:
        partitions = [TopicPartition(topic.name, number) for topic in OUTPUTS for number in range(PARTITIONS)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)  # transactions' markers are among the offsets
        with TopicFiles(folder) as files:
            while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                for tp, records in (await consumer.getmany(timeout_ms=1000)).items():
                    keys, values = [record.key for record in records], [record.value for record in records]
                    headers = [encode_headers(list(record.headers)) for record in records]
                    files.write([Outgoing(tp.topic, tp.partition, keys, values, headers)])


def read(folder: Path) -> Outputs:
    found: Outputs = defaultdict(list)
    for topic in OUTPUTS:
        for line in (folder / f"{topic.name}.jsonl").read_text().splitlines():
            value = json.loads(line)
            value.pop("scored_at", None)
            value.get("headers", {}).pop("ce_time", None)  # of the record, which the broker stamps
            found[f"{topic.name}/{value.get('user_id', value.get('key'))}"].append(value)
    return found


def assert_equal(kafka: str, file: Path, kind: str, folder: Path, *flags: str) -> dict[str, Any]:
    """Compare both ways; returns the worker's figures."""
    worker, live = through_kafka(kafka, file, kind, folder, *flags)
    process, replayed = in_process(file, kind, folder / "replay", *flags)
    for name in ("events_in", "outputs", "dead_letters"):
        assert worker[name] == process[name]
    assert_close(live, replayed, 1e-5)
    return worker


def assert_close(one: object, other: object, tolerance: float) -> None:
    if isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys()
        for name in one:
            # In points of the score, from the log-odds of a float32 that lies near 0 or 1.
            assert_close(one[name], other[name], 0.05 if name == "contribution" else tolerance)
    elif isinstance(one, list) and isinstance(other, list):
        for left, right in zip(one, other, strict=True):
            assert_close(left, right, tolerance)
    elif isinstance(one, float):
        assert one == pytest.approx(other, abs=tolerance)
    else:
        assert one == other


def test_rees46_gives_one_intent_event_each_and_the_same_both_ways(
    kafka: str, make_topics: MakeTopics, shared_data: Path, tmp_path: Path
) -> None:
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    figures = assert_equal(kafka, shared_data / "rees46_sample" / "events.parquet", "rees46", tmp_path)
    assert figures["events_in"] == 17_435
    assert figures["outputs"][INTENT_EVENTS] + sum(figures["dead_letters"].values()) == 17_435


def test_clicks_orders_and_bad_records_give_the_same_both_ways(
    kafka: str, make_topics: MakeTopics, tmp_path: Path
) -> None:
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    figures = assert_equal(kafka, shop_file(tmp_path / "shop.jsonl"), "native", tmp_path)
    assert {INTENT_EVENTS, RISK_EVENTS, SESSION_EVENTS} <= figures["outputs"].keys()
    assert DEAD_LETTER not in figures["outputs"]
    assert set(figures["dead_letters"]) == {"malformed_json", "schema_violation"}


def test_velocities_of_orders_in_all_partitions_are_the_same_both_ways(
    kafka: str, make_topics: MakeTopics, tmp_path: Path
) -> None:
    make_topics([topic.name for topic in TOPICS], PARTITIONS)
    ruleset = tmp_path / "ruleset.yaml"
    ruleset.write_text(VELOCITY_RULES)
    file = tmp_path / "shop.jsonl"
    lines = (order_of_terminal(line) for line in shop_file(file).read_text().splitlines())
    file.write_text("".join(f"{line}\n" for line in lines))
    assert_equal(kafka, file, "native", tmp_path, "--ruleset", str(ruleset))
    texts = {reason["text"] for risk in _risks(tmp_path / "replay") for reason in risk["reasons"]}
    assert any(text.startswith("users by merchant in 24 h = ") for text in texts)


VELOCITY_RULES = """
id: velocities
version: 1
policies: [{id: p, thresholds: {}}]
guard: {max_share: 1}
rules:
- {id: users, when: merchant_users_24h >= 2, score: 50, reason: USERS, text: "", owner: risk}
- {id: money, when: merchant_value_1h > 0, score: 60, reason: MONEY, text: "", owner: risk}
- {id: usual, when: device_mean_value_24h > 0, score: 55, reason: USUAL, text: "", owner: risk}
"""


def order_of_terminal(line: str) -> str:
    """The same event; an order, if it is one, at one of three terminals."""
    try:
        event = json.loads(line)
    except ValueError:
        return line
    if not isinstance(event, dict) or "order_id" not in event or "value" not in event:
        return line
    return json.dumps(event | {"merchant_id": f"terminal-{event['ts'] // 1000 % 3}"})


def _risks(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{RISK_EVENTS}.jsonl").read_text().splitlines()]


def shop_file(path: Path) -> Path:
    """A few hours of the simulated shop in JSON lines, some broken, and times cut to seconds so that many are equal."""
    rng = random.Random(5)
    lines = []
    for batch in Shop(3, users=400, events=12_000, events_per_second=2, chargeback_delay_s=900):
        for value in batch.recorded.values:
            event = json.loads(value)
            event["ts"] -= event["ts"] % 1000
            line = json.dumps(event)
            lines.append(rng.choice([line[:-3], line.replace('"type"', '"kind"')]) if rng.random() < 0.01 else line)
    path.write_text("\n".join(lines) + "\n")
    return path
