import numpy as np
import pytest

from recsim_env.metrics import hit_rate, ndcg, ranks_of


def test_by_hand():
    ranks = np.array([0, 1, 6, 30])
    assert hit_rate(ranks, 5) == 0.5
    assert hit_rate(ranks, 10) == 0.75
    # 1/log2(2) = 1, 1/log2(3) = 0.6309, 1/log2(8) = 1/3
    assert ndcg(ranks, 5) == pytest.approx((1 + 0.63092975) / 4)
    assert ndcg(ranks, 10) == pytest.approx((1 + 0.63092975 + 1 / 3) / 4)
    assert hit_rate(ranks, 1) == ndcg(ranks, 1) == 0.25


def test_ranks_by_hand():
    scores = np.array([[0.1, 0.9, -np.inf], [3.0, 2.0, 1.0], [-1.0, -np.inf, -2.0]])
    ranks = ranks_of(scores, np.array([0, 2, 1]), np.random.default_rng(0))
    assert ranks.dtype == np.int64
    assert ranks.tolist() == [1, 2, 2]


def test_constant_scores_earn_what_chance_does():
    scores, items = np.zeros((40_000, 20)), np.full(40_000, 3)
    ranks = ranks_of(scores, items, np.random.default_rng(1))
    assert ranks.min() == 0
    assert ranks.max() == 19
    # Standard error 0.0022: five of them.
    assert hit_rate(ranks, 5) == pytest.approx(5 / 20, abs=0.011)


def test_ties_share_the_places_between_those_above_and_below():
    scores = np.tile([5.0, 1.0, 1.0, 1.0, 0.0], (3_000, 1))
    ranks = ranks_of(scores, np.full(3_000, 2), np.random.default_rng(2))
    counts = np.bincount(ranks, minlength=5)
    assert counts[0] == counts[4] == 0
    # Binomial(3000, 1/3), standard deviation 26.
    assert np.all(np.abs(counts[1:4] - 1_000) < 130)


def test_ties_elsewhere_change_no_rank():
    generator = np.random.default_rng(3)
    scores = generator.integers(0, 4, size=(500, 30)).astype(float)
    items = generator.integers(0, 30, size=500)
    scores[np.arange(500), items] += 0.5
    ranks = ranks_of(scores, items, generator)
    order = np.argsort(-scores, axis=1, kind="stable")
    assert ranks.tolist() == (order == items[:, None]).argmax(axis=1).tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0.0, np.nan]], [0]), r"scores\[0\]: expected numbers or -inf, got NaN"),
        (([[0.0, 1.0]], [2]), r"items\[0\]: expected in \[0, 2\), got 2"),
        (([[0.0, 1.0]], [0, 1]), r"scores: expected \[n, N\] with n = 2 items"),
    ],
)
def test_wrong_scores_and_items_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ranks_of(np.array(arguments[0]), np.array(arguments[1]), np.random.default_rng(0))


@pytest.mark.parametrize("metric", [hit_rate, ndcg])
def test_wrong_ranks_are_named(metric):
    with pytest.raises(ValueError, match=r"ranks\[1\]: expected at least 0, got -1"):
        metric(np.array([0, -1]), 5)
    with pytest.raises(ValueError, match="ranks: expected a non-empty"):
        metric(np.array([], int), 5)
    with pytest.raises(ValueError, match=r"ranks: expected a non-empty .* of integers, got float64"):
        metric(np.array([0.5]), 5)
    with pytest.raises(ValueError, match="k: expected at least 1, got 0"):
        metric(np.array([1]), 0)
