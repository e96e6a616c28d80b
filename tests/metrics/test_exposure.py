import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.integrate import trapezoid

from recsim_env.metrics import (
    Scorecard,
    average_popularity,
    exposure_entropy,
    gini,
    lorenz_curve,
    tail_items,
    tail_share,
)
from tests.metrics.impression_batches import random_batches

COUNTS = arrays(np.int64, st.integers(1, 60), elements=st.integers(0, 1000)).filter(
    lambda counts: counts.sum() > 0
)


def test_exposure_entropy_by_hand():
    assert exposure_entropy(np.full(8, 2.5)) == pytest.approx(1.0)
    assert exposure_entropy(np.array([0, 3, 0])) == 0.0
    assert exposure_entropy(np.array([1, 1, 0, 0])) == pytest.approx(0.5)


def test_gini_by_hand():
    assert gini(np.array([4, 4, 4])) == pytest.approx(0.0)
    assert gini(np.array([0, 0, 0, 7])) == pytest.approx(0.75)
    assert gini(np.array([1, 3])) == pytest.approx(0.25)


@given(COUNTS)
def test_gini_is_half_the_relative_mean_difference(counts):
    difference = np.abs(counts[:, None] - counts[None, :]).mean()
    assert gini(counts) == pytest.approx(difference / (2 * counts.mean()), abs=1e-12)


@given(COUNTS, st.integers(1, 100))
def test_gini_ignores_scale_and_order_and_rises_with_zeros(counts, scale):
    assert gini(counts * scale) == pytest.approx(gini(counts), abs=1e-12)
    assert gini(counts[::-1]) == pytest.approx(gini(counts), abs=1e-12)
    assert gini(np.append(counts, 0)) >= gini(counts) - 1e-12


@given(COUNTS)
def test_lorenz_curve_is_convex_and_its_area_gives_gini(counts):
    curve = lorenz_curve(counts, num_points=len(counts) + 1)
    assert curve[0] == 0.0
    assert curve[-1] == 1.0
    assert np.all(np.diff(curve, 2) >= -1e-12)
    area = trapezoid(curve, dx=1 / len(counts))
    assert gini(counts) == pytest.approx(1 - 2 * area, abs=1e-9)


def test_lorenz_curve_by_hand():
    np.testing.assert_allclose(lorenz_curve(np.array([3, 1]), 5), [0, 0.125, 0.25, 0.625, 1])


def test_tail_is_what_lies_outside_the_head_that_draws_80_percent():
    np.testing.assert_array_equal(tail_items(np.array([0.1, 0.5, 0.3, 0.1])), [True, False, False, True])
    np.testing.assert_array_equal(tail_items(np.full(5, 0.2)), [False, False, False, False, True])
    np.testing.assert_array_equal(tail_items(np.array([2.0, 98.0])), [True, False])
    np.testing.assert_array_equal(tail_items(np.array([0.6, 0.4]), head_share=1.0), [False, False])


def test_tail_share_and_average_popularity_by_hand():
    popularity = np.array([0.5, 0.3, 0.1, 0.1])
    exposure = np.array([2, 1, 1, 0])
    assert tail_share(exposure, tail_items(popularity)) == pytest.approx(0.25)
    assert average_popularity(exposure, popularity) == pytest.approx((2 * 0.5 + 0.3 + 0.1) / 4 / 0.25)
    assert average_popularity(np.ones(4), popularity) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "metric",
    [gini, lorenz_curve, lambda x: tail_share(x, x == 0), lambda x: average_popularity(x, np.ones(3))],
    ids=["gini", "lorenz_curve", "tail_share", "average_popularity"],
)
def test_no_exposure_is_an_error(metric):
    with pytest.raises(ValueError, match="at least one impression"):
        metric(np.zeros(3))


def test_examined_exposure_stands_beside_impressions():
    card = Scorecard(np.ones(30), np.array([1.0, 0.5, 0.0]))
    for batch in random_batches(np.random.default_rng(9)):
        card.update(batch)
    figures = card.result()
    assert figures["exposure_gini"] == gini(card.items.shown)
    assert figures["examined_exposure_gini"] == gini(card.items.exposure) != figures["exposure_gini"]


def test_scorecard_streams_every_metric_and_merges():
    popularity = np.random.default_rng(8).random(30)
    whole, parts = Scorecard(popularity), [Scorecard(popularity), Scorecard(popularity)]
    for index in range(2):
        for batch in random_batches(np.random.default_rng(index)):
            whole.update(batch)
            parts[index].update(batch)
    merged = parts[0].merge(parts[1])
    assert merged.result() == pytest.approx(whole.result())
    assert merged.result()["exposure_gini"] == gini(whole.items.shown)
    curves = whole.curves()
    assert curves["cumulative_reward"][-1] == pytest.approx(whole.result()["reward_per_user"])
    assert curves["coverage"][-1] == whole.result()["catalog_coverage"]
    assert len(curves["lorenz"]) == 101
    for name, curve in merged.curves().items():
        np.testing.assert_allclose(curve, curves[name])
