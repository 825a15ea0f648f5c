"""Parts of a data set: learned, chosen and measured on, in this order of time and without overlap."""

from datetime import UTC, datetime

import numpy as np

from app.training.sources import CHOOSE, CLICK_SOURCES, LEARN, MEASURE, PAYMENTS, SHOP, Split


def ms(*date: int) -> int:
    return round(datetime(*date, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type, misc]


def test_parts_begin_exactly_where_the_split_says() -> None:
    split = Split(datetime(2020, 1, 2, tzinfo=UTC), datetime(2020, 1, 3, tzinfo=UTC))
    times = np.array([0, ms(2020, 1, 2) - 1, ms(2020, 1, 2), ms(2020, 1, 3) - 1, ms(2020, 1, 3), ms(2050, 1, 1)])
    assert split.parts(times).tolist() == [LEARN, LEARN, CHOOSE, CHOOSE, MEASURE, MEASURE]


def test_the_handbooks_week_of_delay_and_the_days_after_its_test_are_no_part() -> None:
    days = [ms(2018, 5, 31), ms(2018, 6, 1), ms(2018, 7, 25), ms(2018, 8, 1), ms(2018, 8, 8), ms(2018, 8, 15)]
    assert PAYMENTS.split.parts(np.array(days)).tolist() == [-1, LEARN, CHOOSE, -1, MEASURE, -1]


def test_a_split_tells_its_periods() -> None:
    assert PAYMENTS.split.described().endswith("measured from 2018-08-08 00:00 until 2018-08-15 00:00")
    assert all(source.split.described().startswith("learned until") for source in CLICK_SOURCES)


def test_the_simulated_shop_is_the_same_every_time() -> None:
    first, second = (next(iter(SHOP.shop())).recorded.values for _ in range(2))
    assert first == second
