"""The catalogue's names, and definitions that cannot be."""

import pytest

from app.velocity.catalogue import BY_NAME, CATALOGUE
from app.velocity.definitions import DAY_MS, BadDefinition, Velocity
from app.velocity.entities import ENTITIES, ENTITY_INDEX, entity_keys
from schemas.events import Order


def test_every_entity_has_its_counts_sums_means_maxima_frauds_and_distinct_counts_in_every_window() -> None:
    for entity in ENTITIES:
        own = [velocity for velocity in CATALOGUE if velocity.entity == entity]
        for window in ("10m", "1h", "24h", "7d", "30d"):
            found = {velocity.aggregate for velocity in own if velocity.window == window and not velocity.delay_ms}
            assert {"count", "sum", "mean", "max", "frauds", "distinct"} <= found
        assert {"ratio", "zscore"} <= {velocity.aggregate for velocity in own}


def test_each_says_what_it_is() -> None:
    velocity = BY_NAME["device_users_1h"]
    assert (velocity.unit, velocity.owner) == ("users", "risk")
    assert velocity.meaning == "distinct users of the orders at the same device in the 1h, this one included"
    late = BY_NAME["merchant_fraud_share_7d_after_7d"]
    assert "in the 7d that ended 7d ago" in late.meaning
    assert all(velocity.unit and velocity.meaning and velocity.owner for velocity in CATALOGUE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"entity": "planet"}, "there is no entity 'planet'"),
        ({"window": "2h"}, "there is no window '2h'"),
        ({"aggregate": "distinct"}, "`of` names the other kind"),
        ({"of": "user"}, "`of` names the other kind"),
        ({"aggregate": "mean", "delay_ms": DAY_MS}, "mean has no delayed form"),
        ({"delay_ms": 8 * DAY_MS}, "is not between 0 and"),
    ],
)
def test_a_definition_that_cannot_be_is_refused(change: dict[str, object], message: str) -> None:
    fields: dict[str, object] = {"entity": "card", "aggregate": "count", "window": "1h", "owner": "test"}
    with pytest.raises(BadDefinition, match=message):
        Velocity(**(fields | change))  # type: ignore[arg-type]


def test_orders_of_one_network_share_its_key_whatever_their_addresses() -> None:
    network = ENTITY_INDEX["network"]
    ips = ["203.0.113.7", "203.0.113.250", "::ffff:203.0.113.9", "203.0.114.7", "2001:db8:1:2::3", "2001:db8:1:9::8"]
    orders = [_order(ip) for ip in [*ips, "nonsense", ""]]
    keys = entity_keys(["u"] * len(orders), orders)[:, network].tolist()
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert keys[4] == keys[5]
    assert keys[6:] == [0, 0]


def test_what_an_order_does_not_name_has_no_key() -> None:
    keys = entity_keys(["u"], [_order(None)])
    assert (keys != 0).tolist() == [[True, *[False] * 7]]


def _order(ip: str | None) -> Order:
    return Order(event_id="e", type="order_placed", ts=1, order_id="o", value=1, currency="EUR", user_id="u", ip=ip)
