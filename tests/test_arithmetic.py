"""The float32 functions against double precision."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from recsim_env import arithmetic


def each(function, values):
    """The results, which must be float32 numbers (compiled functions hand them out as Python floats)."""
    results = np.array([function(value) for value in values])
    np.testing.assert_array_equal(results.astype(np.float32), results)
    return results.astype(np.float32)


def grid(low, high, count=4_000):
    return np.linspace(low, high, count).astype(np.float32)


def relative_error(value, exact):
    return np.max(np.abs(value.astype(np.float64) - exact) / np.abs(exact))


def test_exp_is_accurate_to_its_stated_error():
    values = np.concatenate([grid(-87, 87), grid(-1, 1), np.float32([0.0, -0.0, 1e-30])])
    computed = each(arithmetic.exp, values)
    assert relative_error(computed, np.exp(values.astype(np.float64))) < 2e-7


@pytest.mark.parametrize("value", [-1e30, -1_000.0, 1_000.0, 1e30])
def test_exp_stays_finite_and_positive_outside_its_range(value):
    result = arithmetic.exp(np.float32(value))
    assert result == arithmetic.exp(np.float32(np.sign(value) * 87))
    assert 0 < result < np.inf


def test_log_is_accurate_to_its_stated_error():
    values = np.concatenate([np.geomspace(1.2e-38, 3e38, 4_000), np.linspace(0.5, 2.0, 4_001)]).astype(
        np.float32
    )
    exact = np.log(values.astype(np.float64))
    computed = each(arithmetic.log, values)
    away = np.abs(exact) > 1e-3
    assert relative_error(computed[away], exact[away]) < 2e-7
    assert np.abs(computed - exact)[~away].max() < 1e-9
    assert arithmetic.log(np.float32(1.0)) == 0.0


@given(st.floats(-60, 60, width=32))
def test_sigmoid_is_the_logistic_function_once(x):
    result = arithmetic.sigmoid(np.float32(x))
    assert result == pytest.approx(special.expit(x), rel=1e-6)
    assert 0.0 <= result <= 1.0


def test_sigmoid_at_known_points():
    assert arithmetic.sigmoid(np.float32(0)) == 0.5
    assert arithmetic.sigmoid(np.float32(np.log(3))) == pytest.approx(0.75, rel=1e-6)


def test_normal_quantile_is_accurate():
    u = (np.arange(1, 2**24, 1_009, dtype=np.int64) * 2.0**-24).astype(np.float32)
    exact = stats.norm.ppf(u.astype(np.float64))
    assert np.abs(each(arithmetic.normal_quantile, u) - exact).max() < 2e-6


def test_normal_quantile_at_the_ends_of_what_streams_can_draw():
    low, high = np.float32(2.0**-24), np.float32(1 - 2.0**-24)
    assert arithmetic.normal_quantile(low) == pytest.approx(stats.norm.ppf(2.0**-24), rel=1e-5)
    assert arithmetic.normal_quantile(high) == -arithmetic.normal_quantile(low)
    assert arithmetic.normal_quantile(np.float32(0.5)) == 0.0


@pytest.mark.parametrize("dim", [4, 8, 64])
def test_normalise_against_double_precision(generator, dim):
    vector = generator.normal(size=dim).astype(np.float32)
    unit = vector.copy()
    arithmetic.normalise(unit)
    np.testing.assert_allclose(unit, vector / np.linalg.norm(vector.astype(np.float64)), rtol=1e-6)


def test_normalise_leaves_the_zero_vector():
    zero = np.zeros(8, np.float32)
    arithmetic.normalise(zero)
    assert not zero.any()
