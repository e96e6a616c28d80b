import tracemalloc

import pytest

from benchmarks.metrics_rate import measure
from recsim_env.metrics import Scorecard

MOST_GROWTH = 300_000
"""Bytes for 5,000 users more: their ids, and what comes and goes with a garbage collection."""


def most_held(num_users, full):
    """Bytes held at most while so many users are counted, 100 at a time."""
    tracemalloc.start()
    try:
        row = measure("Tiny-v0", num_users, full, batch_size=100)
        return row, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("full", [False, True])
def test_it_counts_everybody_and_memory_does_not_grow(full):
    measure("Tiny-v0", 100, full, batch_size=100)  # what is imported and compiled once
    _, few = most_held(1_000, full)
    row, many = most_held(6_000, full)
    assert row["users"] == 6_000
    assert row["decisions"] == 36_000
    assert row["users_per_second"] > 0
    assert row["mib_at_the_end"] >= row["mib_at_a_tenth"] > 0
    assert many - few < MOST_GROWTH


def test_it_would_be_seen_if_memory_grew(monkeypatch):
    kept, inner = [], Scorecard.update
    monkeypatch.setattr(Scorecard, "update", lambda card, batch: (kept.append(batch), inner(card, batch)))
    _, few = most_held(1_000, False)
    _, many = most_held(6_000, False)
    assert many - few > 2 * MOST_GROWTH
