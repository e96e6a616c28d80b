"""Scores of seeds and scenarios as one figure: IQM, probability of improvement, profiles, tests.

Scores are [R, M]: R training seeds, the statistical unit, in M scenarios. Seeds of different scenarios have
nothing to do with each other, so the bootstrap draws seeds anew in every scenario (stratified).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from benchmarks.statistics import CONFIDENCE, FEW_SEEDS, NUM_RESAMPLES

BLOCK = 1_000
"""Resamples at a time, which bounds memory."""
EXACT_SEEDS = 13
"""Up to so many seeds all 2^R flips of signs are tried; beyond, `NUM_RESAMPLES` random ones."""

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""[..., R, M] scores to [..., P] figures (or [...]), over the last two axes."""


class Aggregate(NamedTuple):
    """A figure of all seeds and scenarios with its interval.

    Attributes:
        value, lower, upper: float64, of the shape that the statistic gives.
    """

    value: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


def check_scores(scores: ArrayLike, name: str = "scores") -> NDArray[np.float64]:
    """[R, M] finite float64; [R] becomes one scenario."""
    array = np.asarray(scores, np.float64)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or 0 in array.shape or not np.isfinite(array).all():
        raise ValueError(f"{name}: expected a non-empty [R, M] array of finite numbers, got {scores!r}")
    return array


def interquartile_mean(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of the middle half of all R x M scores, over the last two axes.

    floor(n / 4) scores are cut at either end. Robust to single runs that fail, and more efficient than the
    median.

    Source: Agarwal et al. (2021), Deep RL at the edge of the statistical precipice, sec. 4.3; Rosenberger and
    Gasko (1983) for the trimmed mean.
    """
    flat = np.sort(scores.reshape(*scores.shape[:-2], -1), axis=-1)
    cut = flat.shape[-1] // 4
    return flat[..., cut : flat.shape[-1] - cut].mean(axis=-1)


def performance_profile(scores: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """[..., P] float64: the share of all R x M scores above each threshold.

    Source: Agarwal et al. (2021), eq. 3 (run-score distribution), after Dolan and More (2002).
    """
    return (scores[..., None] > thresholds).mean(axis=(-3, -2))


def improvement_prob(scores: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability that a run beats a run of the reference in the same scenario, mean over scenarios.

    mean_m (1 / (R R')) sum_{r, r'} [x_rm > y_r'm] + [x_rm = y_r'm] / 2

    Args:
        scores: [..., R, M]; reference: [..., R', M].

    Source: Agarwal et al. (2021), sec. 4.3; the statistic of Mann and Whitney (1947).
    """
    left, right = scores[..., :, None, :], reference[..., None, :, :]
    return ((left > right) + 0.5 * (left == right)).mean(axis=(-3, -2, -1))


def stratified_interval(
    scores: ArrayLike, statistic: Statistic, generator: np.random.Generator, confidence: float = CONFIDENCE
) -> Aggregate:
    """A statistic of scores with its percentile interval; each scenario draws its R seeds with replacement.

    With few seeds it is too short (see `benchmarks.statistics.seed_band` for one scenario); 10 scenarios of 3
    seeds are still 30 draws.

    Args:
        scores: [R, M] float, finite.
        statistic: such as `interquartile_mean`.
        generator: source of the resamples.
        confidence: in (0, 1).

    Source: the stratified bootstrap of Efron and Tibshirani (1993), as in Agarwal et al. (2021), sec. 4.1.
    """
    values = check_scores(scores)
    drawn = _resampled(statistic, [values], generator)
    return _aggregate(statistic(values), drawn, confidence)


def improvement_interval(
    scores: ArrayLike, reference: ArrayLike, generator: np.random.Generator, confidence: float = CONFIDENCE
) -> Aggregate:
    """`improvement_prob` with its interval; the seeds of both are drawn independently, in each scenario.

    Args:
        scores: [R, M] float; reference: [R', M] float, the same scenarios.
        generator, confidence: as in `stratified_interval`.
    """
    first, second = check_scores(scores), check_scores(reference, "reference")
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"reference: expected {first.shape[1]} scenarios like scores, got {second.shape[1]}")
    drawn = _resampled(improvement_prob, [first, second], generator)
    return _aggregate(improvement_prob(first, second), drawn, confidence)


def paired_p_value(values: ArrayLike, reference: ArrayLike, generator: np.random.Generator) -> float:
    """The two-sided p-value of values and reference having the same mean, paired by seed.

    From 8 seeds on by flipping the signs of the differences: the share of all 2^R flips (beyond 13 seeds, of
    random ones and the one observed) whose mean is at least as far from 0. Below, where it could never be
    small, by Student's t, which trusts the differences to be normal.

    Args:
        values, reference: [R] float, R >= 2, the same seeds in the same order.
        generator: not advanced where all flips are tried.

    Source: Fisher (1935), ch. 3; Phipson and Smyth (2010) for counting the observed one; Student (1908).
    """
    difference = check_scores(values)[:, 0] - check_scores(reference, "reference")[:, 0]
    R = len(difference)
    if R < 2:
        raise ValueError(f"values: expected at least 2 seeds, got {R}")
    if not difference.any():
        return 1.0
    if R < FEW_SEEDS:
        if np.ptp(difference) <= 1e-12 * np.abs(difference).max():  # equal but for rounding
            return 0.0
        return float(stats.ttest_1samp(difference, 0.0).pvalue)
    if R <= EXACT_SEEDS:
        signs = 1 - 2 * ((np.arange(2**R)[:, None] >> np.arange(R)) & 1)
    else:
        signs = np.vstack([np.ones((1, R), np.int64), 1 - 2 * generator.integers(2, size=(NUM_RESAMPLES, R))])
    means = np.abs(signs @ difference)
    return float((means >= means[0] * (1 - 1e-12)).mean())


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """[n] float64: p-values corrected for their number, in the order given.

    p'_(i) = max_{j <= i} min(1, (n - j + 1) p_(j)),  p_(1) <= ... <= p_(n)

    Rejecting what is below alpha makes a false claim at all with probability alpha at most, however the tests
    depend on one another.

    Args:
        p_values: [n] float in [0, 1].

    Source: Holm (1979), A simple sequentially rejective multiple test procedure.
    """
    p = np.asarray(p_values, np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p_values: expected a 1-D array in [0, 1], got {p_values!r}")
    order = np.argsort(p, kind="stable")
    steps = np.minimum(1.0, (len(p) - np.arange(len(p))) * p[order])
    corrected = np.empty_like(p)
    corrected[order] = np.maximum.accumulate(steps)
    return corrected


def _resampled(
    statistic: Callable[..., NDArray[np.float64]],
    samples: list[NDArray[np.float64]],
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    parts = []
    for start in range(0, NUM_RESAMPLES, BLOCK):
        count = min(BLOCK, NUM_RESAMPLES - start)
        drawn = []
        for scores in samples:
            rows = generator.integers(len(scores), size=(count, *scores.shape))
            drawn.append(np.take_along_axis(scores[None], rows, axis=1))
        parts.append(statistic(*drawn))
    return np.concatenate(parts)


def _aggregate(value: NDArray[np.float64], drawn: NDArray[np.float64], confidence: float) -> Aggregate:
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return Aggregate(value, lower, upper)
