"""Intervals over training seeds: the seed is the statistical unit, never the user or the episode."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

FEW_SEEDS = 8
NUM_RESAMPLES = 10_000
CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A mean over seeds with its interval.

    Attributes:
        mean, lower, upper: in the units of the values; lower and upper are NaN for a single seed.
        method: "bootstrap", "t", or "none" for a single seed.
        num_seeds: how many values.
    """

    mean: float
    lower: float
    upper: float
    method: str
    num_seeds: int


def interval_method(num_seeds: int) -> str:
    """How an interval over so many seeds is made: "bootstrap", "t", or "none" for a single seed."""
    if num_seeds == 1:
        return "none"
    return "t" if num_seeds < FEW_SEEDS else "bootstrap"


def expanded_level(num_seeds: int, confidence: float = CONFIDENCE) -> float:
    """The lower tail probability at which to read the bootstrap distribution of a mean of few values.

    alpha' = Phi(- sqrt(n / (n - 1)) t_{1 - alpha/2, n - 1})

    The plain percentile interval is too short by the factor sqrt((n - 1) / n) and by using z for t.

    Source: Hesterberg (2015), "What teachers should know about the bootstrap", expanded percentiles.
    """
    quantile = stats.t.ppf(0.5 + confidence / 2, num_seeds - 1)
    return float(stats.norm.cdf(-np.sqrt(num_seeds / (num_seeds - 1)) * quantile))


def seed_band(
    values: np.ndarray, generator: np.random.Generator, confidence: float = CONFIDENCE
) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Means over seeds of several quantities, with an interval for each (pointwise).

    Expanded percentile bootstrap, or Student's t below 8 seeds: a bootstrap never reaches outside the
    observed values, so with 3 seeds its widest interval covers about 75 % of the time, whatever is asked for.

    Args:
        values: [R, T] float, one row per seed, R >= 1, finite.
        generator: source of the resamples of whole rows; not advanced below 8 seeds.
        confidence: float in (0, 1).

    Returns:
        (mean, lower, upper: [T] float64; method as in `Interval`); lower and upper are NaN for a single seed.

    Source: Efron and Tibshirani (1993), ch. 13; Hesterberg (2015) for `expanded_level`; Student (1908).
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or len(values) == 0 or not np.isfinite(values).all():
        raise ValueError(f"values: expected a non-empty [R, T] array of finite numbers, got {values!r}")
    num_seeds, mean = len(values), values.mean(axis=0)
    method = interval_method(num_seeds)
    if method == "none":
        missing = np.full_like(mean, np.nan)
        return mean, missing, missing, method
    if method == "t":
        half = stats.t.ppf(0.5 + confidence / 2, num_seeds - 1) * stats.sem(values, axis=0)
        return mean, mean - half, mean + half, method
    rows = generator.integers(num_seeds, size=(NUM_RESAMPLES, num_seeds))
    weight = np.zeros((NUM_RESAMPLES, num_seeds))
    np.add.at(weight, (np.arange(NUM_RESAMPLES)[:, None], rows), 1.0 / num_seeds)
    level = expanded_level(num_seeds, confidence)
    # Resampling deviations, not values, keeps equal values an exact point.
    lower, upper = np.quantile(weight @ (values - mean), [level, 1 - level], axis=0)
    return mean, mean + lower, mean + upper, method


def seed_interval(
    values: np.ndarray, generator: np.random.Generator, confidence: float = CONFIDENCE
) -> Interval:
    """The mean over seeds of one quantity with its interval; see `seed_band`.

    Args:
        values: [R] float, one value per seed.
        generator, confidence: as in `seed_band`.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"values: expected a 1-D array of finite numbers, got shape {values.shape}")
    mean, lower, upper, method = seed_band(values[:, None], generator, confidence)
    return Interval(float(mean[0]), float(lower[0]), float(upper[0]), method, len(values))


def paired_difference(
    values: np.ndarray, reference: np.ndarray, generator: np.random.Generator, confidence: float = CONFIDENCE
) -> Interval:
    """The mean over seeds of values - reference, seed by seed, with its interval.

    Both were scored on the same users with the same noise, so what they share cancels.

    Args:
        values, reference: [R] float, same seeds in the same order.
        generator, confidence: as in `seed_interval`.
    """
    values, reference = np.asarray(values, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if values.shape != reference.shape:
        raise ValueError(f"reference: expected shape {values.shape} like values, got {reference.shape}")
    return seed_interval(values - reference, generator, confidence)


def gap_share(score: np.ndarray, floor: np.ndarray, ceiling: np.ndarray) -> np.ndarray:
    """[R] float64: how much of the gap between two reference policies a score closes, seed by seed.

    (score - floor) / (ceiling - floor): 0 is the floor (random), 1 the ceiling (the myopic oracle).

    Raises:
        ValueError: the ceiling is not above the floor.

    Source: the human-normalised score of Mnih et al. (2015), with our references.
    """
    score, floor, ceiling = (np.asarray(array, dtype=np.float64) for array in (score, floor, ceiling))
    gap = ceiling - floor
    if not np.all(gap > 0):
        first = int(np.flatnonzero(~(gap > 0))[0])
        raise ValueError(
            f"ceiling[{first}] = {ceiling.flat[first]} is not above floor[{first}] = {floor.flat[first]}"
        )
    return (score - floor) / gap
