"""A user of very many events stays one row of bounded size, and nobody else notices."""

from app.state.order_log import LOG_LENGTH
from app.state.rows import ROW
from tests.harness import GAP, LIVES, Worker, click, order, scored


def test_a_hot_key_leaves_one_row_of_bounded_size() -> None:
    worker = Worker(step_records=20_000)
    worker.run(*(click("bot", number, f"c{number}", product_id=f"p{number}") for number in range(10_000)))
    for start in range(0, 1_000, 500):
        worker.run(*(order("bot", 10_000 + start + n, f"o{start + n}") for n in range(500)))
    table = worker.pipeline.state.table
    assert len(table) == 1
    value = table.value("bot")
    assert value is not None
    assert len(value) <= ROW.itemsize + 6 + 2 * 256 + 3 * 8 * LOG_LENGTH
    assert worker.orders_saw("orders_30d")[-1] == 1_000


def test_orders_of_the_highest_value_never_outgrow_what_is_stored() -> None:
    worker = Worker(step_records=20_000)
    found = worker.run(*(order("bot", n, f"o{n}", value=1e12) for n in range(9_500)))
    assert len(scored(found)) == 9_500
    assert worker.restarted().pipeline.state.table.value("bot") == worker.pipeline.state.table.value("bot")


def test_a_bot_in_the_batch_does_not_change_others_results() -> None:
    people = [(n * 700, click(f"user {n % 9}", n * 700, f"c{n}", "product_added", price=1.5)) for n in range(120)]
    bot = [(n * 20, click("bot", n * 20, f"bot {n}", "login_failed")) for n in range(4_000)]
    orders = [order(f"user {n % 9}", n * 9_000, f"o{n}") for n in range(9)]
    mixed = sorted(people + bot, key=lambda pair: pair[0])
    alone = Worker().run(*(one for _, one in people), *orders)
    among = Worker(step_records=10_000).run(*(one for _, one in mixed), *orders)
    others = [record for record in among if record.key != b"bot"]
    assert len(scored(others)) == 129
    assert sorted(map(repr, others)) == sorted(map(repr, alone))


def test_live_rows_are_within_one_kibibyte() -> None:
    assert ROW.itemsize + 8 + 4 <= 1024 - 200  # beside it lie a key and two ids
    assert LIVES.gap_ms == GAP
