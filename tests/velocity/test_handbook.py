"""The handbook's features of real data, streamed, against a batch computation."""

import pytest

from tests.benchmarks.bench_velocity import PAYMENTS, compare


@pytest.mark.skipif(not PAYMENTS.is_file(), reason="the handbook's payments are not beside the repository")
def test_the_handbooks_features_are_those_of_polars_in_every_row() -> None:
    compared = compare(PAYMENTS, batches=20)
    assert compared.rows > 100_000
    assert set(compared.differing.values()) == {0}
    assert compared.largest < 1e-6
