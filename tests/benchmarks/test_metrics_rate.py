import pytest

from benchmarks.metrics_rate import measure


@pytest.mark.parametrize("full", [False, True])
def test_it_counts_everybody_and_memory_does_not_grow(full):
    row = measure("Tiny-v0", 3_000, full, batch_size=100)
    assert row["users"] == 3_000
    assert row["decisions"] == 18_000
    assert row["users_per_second"] > 0
    assert row["mib_at_the_end"] - row["mib_at_a_tenth"] < 8
