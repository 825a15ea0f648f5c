"""What rules cost an order, and how long a large ruleset takes to load.

python -m tests.benchmarks.bench_rules

Prints the microseconds per order of 100 rules in batches of 1,024 (and what 1,000 rules cost), those of reading the
columns included, and the seconds in which 1,000 rules and a list of a million entries are ready.
"""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import click
import msgspec
import numpy as np
import yaml

from app.features.orders import ORDER_FEATURES
from app.rules.book import RuleBook
from app.rules.catalogue import OrderColumns
from app.rules.compiling import compile_ruleset
from app.rules.lists import named_list
from app.rules.reading import parse_ruleset
from schemas.events import Order
from schemas.ruleset import Ruleset

BATCH, ROUNDS = 1_024, 30


def columns(seed: int = 1) -> OrderColumns:
    """A batch of orders: some fields are missing, as they are in life."""
    rng = np.random.default_rng(seed)
    chance = random.Random(seed)
    orders = [
        Order(
            event_id=f"e{number}",
            type="order_placed",
            ts=1_700_000_000_000 + number,
            order_id=f"o{number}",
            value=round(chance.lognormvariate(3, 1), 2) + 0.01,
            currency=chance.choice(["EUR", "USD"]),
            user_id=f"u{chance.randrange(600)}",
            device_id=f"d{chance.randrange(500)}" if chance.random() < 0.9 else None,
            card_hash=f"c{chance.randrange(700)}",
            merchant_id=f"m{chance.randrange(50)}",
            billing_country=chance.choice(["DE", "FR", None]),
            account_created_ts=1_690_000_000_000 if chance.random() < 0.7 else None,
        )
        for number in range(BATCH)
    ]
    features = rng.gamma(1, 4, (BATCH, len(ORDER_FEATURES))).astype(np.float32)
    probability = rng.random(BATCH)
    return OrderColumns(orders, features, probability, np.floor(probability * 100))


def condition(rng: random.Random) -> str:
    """A condition of three to five parts, as people write them; it holds for some percent of the orders."""
    numbers = [feature.name for feature in ORDER_FEATURES if feature.unit != "0 or 1"] + ["value"]
    parts = [f"{rng.choice(numbers)} {rng.choice(['>', '>='])} {rng.randrange(4, 40)}" for _ in range(2)]
    parts.append(
        rng.choice(
            [
                f'merchant_id == "m{rng.randrange(50)}"',
                'billing_country in ["DE", "FR", "IT"]',
                "countries_differ or is_night",
                f"amount / max(mean_30d, 1) > {rng.randrange(2, 9)}",
                f"spent_1h - spent_10m > {rng.randrange(10, 90)}",
                f"value > {rng.randrange(100, 2_000)} and account_age_seconds < {rng.randrange(1, 30)}d",
                "is_missing(device_id)",
            ]
        )
    )
    rng.shuffle(parts)
    return f"{parts[0]} and ({parts[1]} {rng.choice(['and', 'or'])} {parts[2]})"


def ruleset_text(rules: int, seed: int = 1) -> str:
    """A ruleset of so many rules, as YAML."""
    rng = random.Random(seed)
    listed = [
        {"id": f"r{number}", "when": condition(rng), "score": 5, "reason": f"R{number}", "text": "t", "owner": "o"}
        for number in range(rules)
    ]
    policies = [{"id": "default", "thresholds": {"review": 65}}]
    return yaml.safe_dump({"id": "bench", "version": "1", "policies": policies, "rules": listed})


def load(text: str) -> RuleBook:
    """A rule book from YAML."""
    return compile_ruleset(parse_ruleset(text))


def judged(book: RuleBook, batch: OrderColumns) -> None:
    """What a step has to do with a batch of which nothing was read yet."""
    book.findings(replace(batch))


def seconds(work: Callable[[], object], rounds: int) -> float:
    """The best of ``rounds``, since whatever else runs on the machine only adds."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


def main() -> None:
    """Measure and print."""
    for rules in (0, 10, 100, 1_000):
        book, batch = load(ruleset_text(rules)), columns()
        best = seconds(partial(judged, book, batch), ROUNDS)
        hits = sum(map(len, book.findings(batch).rules)) / BATCH
        cost = f"{best / BATCH * 1e6:6.2f} us per order in a batch of {BATCH:,}"
        click.echo(f"{rules:5} rules, of which {hits:.1f} hold for an order: {cost}")
    text = ruleset_text(1_000)
    click.echo(f"1,000 rules of YAML: {seconds(partial(load, text), 3):.3f} s")
    sent = msgspec.json.encode(parse_ruleset(text))
    taken = seconds(lambda: compile_ruleset(msgspec.json.decode(sent, type=Ruleset)), 3)
    click.echo(f"1,000 rules of JSON, as they are sent: {taken:.3f} s")
    entries = [f"{number:064x}" for number in range(1_000_000)]
    click.echo(f"a list of a million entries: {seconds(partial(named_list, entries), 1):.2f} s")


if __name__ == "__main__":
    main()
