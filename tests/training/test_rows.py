"""Training rows are what production computes, whatever the batches."""

import numpy as np
import pytest

from app.features.clicks import CLICK_FEATURES
from app.training.click_sets import histories
from app.training.rows import click_rows, order_rows
from schemas.events import CLICK_TYPES
from tests.training.recordings import LIFETIMES, ignored, recut, shop

COLUMN = {feature.name: index for index, feature in enumerate(CLICK_FEATURES)}


@pytest.mark.parametrize("rows", [1, 7])
def test_rows_do_not_depend_on_how_the_recording_was_cut(rows: int) -> None:
    whole = click_rows(shop(400), LIFETIMES, ignored)
    cut = click_rows(recut(shop(400), rows), LIFETIMES, ignored)
    np.testing.assert_array_equal(cut.features, whole.features)
    np.testing.assert_array_equal(cut.session, whole.session)
    orders, cut_orders = (
        order_rows(shop(400), LIFETIMES, ignored),
        order_rows(recut(shop(400), rows), LIFETIMES, ignored),
    )
    assert cut_orders.order_ids == orders.order_ids
    np.testing.assert_array_equal(cut_orders.features, orders.features)


def test_clicks_are_sorted_by_user_then_time_and_their_features_name_their_type() -> None:
    rows = click_rows(shop(600), LIFETIMES, ignored)
    assert (np.diff(rows.user) >= 0).all()
    assert (np.diff(rows.session) >= 0).all()
    same_user = np.diff(rows.user) == 0
    assert (np.diff(rows.ts)[same_user] >= 0).all()
    np.testing.assert_array_equal(rows.features[:, : len(CLICK_TYPES)].argmax(axis=1), rows.type)


def test_sessions_are_the_engines_and_not_the_ids_that_clients_give() -> None:
    rows = click_rows(shop(600), LIFETIMES, ignored)
    begins = np.diff(rows.session, prepend=-1) != 0
    gap = np.diff(rows.ts, prepend=0) > LIFETIMES.gap_ms
    np.testing.assert_array_equal(begins, gap | (np.diff(rows.user, prepend=-1) != 0))
    np.testing.assert_array_equal(rows.started_at[begins], rows.ts[begins])
    np.testing.assert_array_equal(np.unique(rows.started_at[~begins] <= rows.ts[~begins]), [True])


def test_progress_counts_every_event() -> None:
    counts: list[int] = []
    click_rows(shop(300), LIFETIMES, counts.append)
    assert sum(counts) == sum(len(batch) for batch in shop(300))


def test_a_history_that_expired_begins_anew() -> None:
    rows = click_rows(shop(300), LIFETIMES, ignored)
    rows.features[:, COLUMN["user_clicks"]] = 2
    users = len(np.unique(rows.user))
    assert histories(rows).max() + 1 == users
    rows.features[len(rows.ts) // 2, COLUMN["user_clicks"]] = 1
    assert histories(rows).max() + 1 in (users, users + 1)
    assert (np.diff(histories(rows)) >= 0).all()
