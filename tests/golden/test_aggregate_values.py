"""Our aggregate scores against rliable's and statsmodels'; see make_aggregate_values.py."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.aggregates import (
    holm,
    improvement_interval,
    improvement_prob,
    interquartile_mean,
    performance_profile,
    stratified_interval,
)

GOLDEN = json.loads(Path(__file__).with_name("aggregate_values.json").read_text())
VALUES = GOLDEN["values"]
SCORES, OTHER, P_VALUES, THRESHOLDS = (
    np.array(GOLDEN["inputs"][name]) for name in ("scores", "other", "p_values", "thresholds")
)


def test_point_figures_are_the_same():
    assert interquartile_mean(SCORES) == pytest.approx(VALUES["iqm"], rel=1e-12)
    assert improvement_prob(SCORES, OTHER) == pytest.approx(VALUES["improvement"], rel=1e-12)
    np.testing.assert_allclose(performance_profile(SCORES, THRESHOLDS), VALUES["profile"], rtol=1e-12)
    np.testing.assert_allclose(holm(P_VALUES), VALUES["holm"], rtol=1e-12)


def test_intervals_agree_up_to_the_noise_of_resampling():
    """Quantiles of 10,000 resamples have a standard error of some 2 % of the interval's length."""
    generator = np.random.default_rng(1)
    interval = stratified_interval(SCORES, interquartile_mean, generator)
    length = np.ptp(VALUES["iqm_interval"])
    assert (interval.lower, interval.upper) == pytest.approx(VALUES["iqm_interval"], abs=0.08 * length)
    improvement = improvement_interval(SCORES, OTHER, generator)
    length = np.ptp(VALUES["improvement_interval"])
    assert (improvement.lower, improvement.upper) == pytest.approx(
        VALUES["improvement_interval"], abs=0.15 * length
    )
