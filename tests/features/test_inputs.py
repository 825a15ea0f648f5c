"""What a risk model is given: the columns that it names, in its order."""

import numpy as np
import pytest

from app.features.inputs import RISK_INPUTS, OrderInputs, UnknownInputs
from app.features.orders import ORDER_FEATURES
from app.velocity.joined import Joined
from tests.harness import DAY, HOUR, MINUTE, START, Worker, order

NAMES = [feature.name for feature in ORDER_FEATURES]
ORDERS = np.arange(3 * len(NAMES), dtype=np.float32).reshape(3, len(NAMES))


def joined(*names: str) -> Joined:
    """Orders that were told these, the first of 0.5, 1.5 and 2.5, the second of 10.5 and so on."""
    values = np.array([[row + 10 * column + 0.5 for column in range(len(names))] for row in range(3)])
    return Joined(names, values, np.zeros(3, np.bool_), np.zeros(3, np.bool_))


def test_columns_are_taken_by_name_from_the_order_and_from_what_it_was_told() -> None:
    inputs = OrderInputs(["card_orders_1h", "hour", "device_users_24h", "amount"])
    found = inputs.of(ORDERS, joined("device_users_24h", "ip_users_24h", "card_orders_1h"))
    assert found.dtype == np.float32
    assert found[:, 0].tolist() == [20.5, 21.5, 22.5]
    assert found[:, 1].tolist() == ORDERS[:, NAMES.index("hour")].tolist()
    assert found[:, 2].tolist() == [0.5, 1.5, 2.5]
    assert found[:, 3].tolist() == ORDERS[:, 0].tolist()
    assert [velocity.name for velocity in inputs.velocities] == ["card_orders_1h", "device_users_24h"]


def test_a_velocity_that_nobody_asked_for_is_not_a_number() -> None:
    inputs = OrderInputs(["amount", "device_users_24h"])
    for told in (None, joined("card_orders_1h")):
        found = inputs.of(ORDERS, told)
        assert np.isnan(found[:, 1]).all()
        assert not np.isnan(found[:, 0]).any()


def test_names_of_neither_catalogue_are_told() -> None:
    with pytest.raises(UnknownInputs, match="shoe_size, device_users_2h"):
        OrderInputs(["amount", "shoe_size", "device_users_2h"])


def test_the_risk_model_learns_from_the_orders_own_features_alone() -> None:
    assert RISK_INPUTS.velocities == ()
    assert set(NAMES) - set(RISK_INPUTS.names) == {"time_of_day"}


def test_an_order_tells_its_time_in_steps_and_exactly() -> None:
    midnight = START - START % DAY
    worker = Worker()
    worker.run(order("u", midnight - START + 22 * HOUR + 45 * MINUTE, "late"))
    assert worker.orders_saw("time_of_day") == [22.75]
    assert worker.orders_saw("hour") == [22]
    assert worker.orders_saw("is_night") == [0]
