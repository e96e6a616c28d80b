import numpy as np
import pytest
from scipy import stats

from benchmarks.aggregates import (
    holm,
    improvement_interval,
    improvement_prob,
    interquartile_mean,
    paired_p_value,
    performance_profile,
    stratified_interval,
)


def test_interquartile_mean_by_hand_and_against_scipy():
    assert interquartile_mean(np.array([[1.0], [2.0], [3.0], [100.0]])) == 2.5
    scores = np.random.default_rng(0).normal(size=(5, 7, 3))
    expected = [stats.trim_mean(block, 0.25, axis=None) for block in scores]
    np.testing.assert_allclose(interquartile_mean(scores), expected)


def test_improvement_by_hand_and_against_scipy():
    assert improvement_prob(np.array([[1.0], [3.0]]), np.array([[2.0], [1.0]])) == (0.5 + 2) / 4
    generator = np.random.default_rng(1)
    x, y = generator.integers(0, 5, (8, 4)), generator.integers(1, 6, (6, 4))
    expected = [stats.mannwhitneyu(x[:, m], y[:, m]).statistic / 48 for m in range(4)]
    assert improvement_prob(x, y) == pytest.approx(np.mean(expected))


def test_profile_by_hand():
    scores = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(
        performance_profile(scores, np.array([0, 1.0, 2.5, 4.0])), [1, 0.75, 0.5, 0]
    )


def test_the_stratified_bootstrap_knows_the_spread_of_a_mean():
    """Closed form: the bootstrap variance of a mean over M scenarios is that of the plug-in, summed."""
    scores = np.random.default_rng(2).normal(size=(12, 5)) * np.arange(1, 6)
    interval = stratified_interval(
        scores, lambda values: values.mean(axis=(-2, -1)), np.random.default_rng(3), 0.6827
    )
    sigma = np.sqrt((scores.var(axis=0) / 12).sum()) / 5
    assert interval.value == pytest.approx(scores.mean())
    assert (interval.upper - interval.lower) / 2 == pytest.approx(sigma, rel=0.04)


def test_resampling_stays_within_scenarios():
    scores = np.tile([1.0, 5.0, 9.0, 2.0], (6, 1))  # all seeds of a scenario alike
    interval = stratified_interval(scores, interquartile_mean, np.random.default_rng(4))
    assert interval.value == interval.lower == interval.upper


def test_improvement_over_oneself_is_even():
    scores = np.random.default_rng(5).normal(size=(10, 6))
    interval = improvement_interval(scores, scores, np.random.default_rng(6))
    assert interval.value == 0.5
    assert interval.lower < 0.5 < interval.upper
    with pytest.raises(ValueError, match="expected 6 scenarios"):
        improvement_interval(scores, scores[:, :2], np.random.default_rng(6))


@pytest.mark.parametrize("num_seeds", [8, 12])
def test_flips_against_scipy(num_seeds):
    generator = np.random.default_rng(num_seeds)
    values, reference = generator.normal(0.5, size=num_seeds), generator.normal(size=num_seeds)
    expected = stats.permutation_test(
        (values, reference), lambda a, b, axis: (a - b).mean(axis=axis), permutation_type="samples"
    ).pvalue
    assert paired_p_value(values, reference, generator) == pytest.approx(expected)


def test_random_flips_are_close_to_all_of_them():
    generator = np.random.default_rng(7)
    values = generator.normal(0.4, size=16)
    signs = 1 - 2 * ((np.arange(2**16)[:, None] >> np.arange(16)) & 1)
    exact = (np.abs(signs @ values) >= abs(values.sum()) - 1e-12).mean()
    assert paired_p_value(values, np.zeros(16), generator) == pytest.approx(exact, abs=0.02)


def test_few_seeds_get_students_t():
    values = np.array([1.0, 2.0, 4.0])
    expected = stats.ttest_1samp(values, 0.0).pvalue
    assert paired_p_value(values, np.zeros(3), np.random.default_rng(0)) == pytest.approx(expected)
    assert paired_p_value(values, values, np.random.default_rng(0)) == 1.0
    assert paired_p_value(values + 0.1, values, np.random.default_rng(0)) == 0.0  # 0.1 but for rounding
    with pytest.raises(ValueError, match="at least 2 seeds"):
        paired_p_value([1.0], [2.0], np.random.default_rng(0))


def test_p_values_of_equal_agents_are_small_as_often_as_they_say():
    generator = np.random.default_rng(8)
    p = [
        paired_p_value(generator.exponential(size=10), generator.exponential(size=10), generator)
        for _ in range(400)
    ]
    # Binomial(400, 0.05): more than 36 has probability under 3e-4.
    assert np.mean(np.array(p) <= 0.05) <= 0.09


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm([0.6, 0.5]), [1.0, 1.0])
    assert holm([]).shape == (0,)
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        holm([0.5, 1.2])


@pytest.mark.parametrize("scores", [[], [[np.nan]], [[[1.0]]]], ids=["empty", "nan", "cube"])
def test_bad_scores_are_refused(scores):
    with pytest.raises(ValueError, match="finite numbers"):
        stratified_interval(np.array(scores), interquartile_mean, np.random.default_rng(0))
