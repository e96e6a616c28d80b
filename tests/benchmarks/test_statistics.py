import numpy as np
import pytest
from scipy import stats

from benchmarks.statistics import expanded_level, gap_share, paired_difference, seed_band, seed_interval


def test_few_seeds_get_students_interval():
    values = np.array([1.0, 2.0, 4.0])
    interval = seed_interval(values, np.random.default_rng(0))
    lower, upper = stats.t.interval(0.95, 2, loc=values.mean(), scale=stats.sem(values))
    assert interval[3:] == ("t", 3)
    assert interval[:3] == pytest.approx((values.mean(), lower, upper))


def test_many_seeds_get_the_bootstrap_at_the_expanded_level():
    values = np.random.default_rng(1).exponential(size=20)
    interval = seed_interval(values, np.random.default_rng(2))
    reference = stats.bootstrap(
        (values,),
        np.mean,
        confidence_level=1 - 2 * expanded_level(20),
        n_resamples=100_000,
        method="percentile",
        rng=np.random.default_rng(3),
    ).confidence_interval
    assert interval.method == "bootstrap"
    assert interval.mean == values.mean()
    assert (interval.lower, interval.upper) == pytest.approx(tuple(reference), abs=0.03)


def test_expanded_level_by_hand():
    assert expanded_level(10**6) == pytest.approx(0.025, abs=1e-4)
    assert expanded_level(10) == pytest.approx(stats.norm.cdf(-np.sqrt(10 / 9) * 2.262157), abs=1e-6)


@pytest.mark.parametrize("num_seeds", [3, 10])
def test_intervals_cover_the_truth_as_often_as_they_say(num_seeds):
    generator = np.random.default_rng(4)
    trials = 400
    hits = 0
    for _ in range(trials):
        interval = seed_interval(generator.normal(size=num_seeds), generator)
        hits += interval.lower <= 0 <= interval.upper
    # Binomial(400, 0.95): below 0.90 has probability under 1e-4.
    assert 0.90 <= hits / trials <= 0.99


def test_equal_values_give_a_point():
    for num_seeds in (3, 10):
        interval = seed_interval(np.full(num_seeds, 2.5), np.random.default_rng(0))
        assert interval[:3] == (2.5, 2.5, 2.5)


@pytest.mark.parametrize("num_seeds", [3, 12])
def test_a_band_is_an_interval_at_every_point(num_seeds):
    values = np.random.default_rng(8).normal(size=(num_seeds, 5))
    mean, lower, upper, method = seed_band(values, np.random.default_rng(9))
    for point in range(5):
        interval = seed_interval(values[:, point], np.random.default_rng(9))
        assert interval[:3] == pytest.approx((mean[point], lower[point], upper[point]))
        assert interval.method == method


def test_one_seed_has_no_interval():
    interval = seed_interval(np.array([2.0]), np.random.default_rng(0))
    assert interval.mean == 2.0
    assert np.isnan([interval.lower, interval.upper]).all()
    assert interval.method == "none"


@pytest.mark.parametrize("values", [[], [np.nan, 1.0], [[1.0, 2.0]]], ids=["empty", "nan", "matrix"])
def test_bad_values_are_refused(values):
    with pytest.raises(ValueError, match="finite numbers"):
        seed_interval(np.array(values), np.random.default_rng(0))


def test_pairing_cancels_what_both_share():
    generator = np.random.default_rng(5)
    luck = generator.normal(scale=10, size=10)
    better, worse = luck + 1 + generator.normal(scale=0.1, size=10), luck
    paired = paired_difference(better, worse, generator)
    assert paired.lower > 0.8
    assert paired.upper < 1.2
    assert seed_interval(better, generator).lower < 0
    with pytest.raises(ValueError, match="like values"):
        paired_difference(better, worse[:3], generator)


def test_same_generator_state_same_interval():
    values = np.random.default_rng(6).normal(size=12)
    assert seed_interval(values, np.random.default_rng(7)) == seed_interval(values, np.random.default_rng(7))


def test_gap_share_by_hand():
    np.testing.assert_allclose(gap_share([2.0, 1.0, 5.0], [1.0, 1.0, 1.0], [3.0, 2.0, 3.0]), [0.5, 0.0, 2.0])
    with pytest.raises(ValueError, match=r"ceiling\[1\] = 1.0 is not above"):
        gap_share([1.0, 1.0], [0.0, 1.0], [1.0, 1.0])
