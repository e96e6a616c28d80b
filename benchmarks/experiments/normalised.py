"""Rewards as shares of what can be earned: from random recommendations to the planning oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.aggregates import Aggregate, stratified_interval
from benchmarks.experiments.frame import written
from benchmarks.rows import over_seeds, resampling
from benchmarks.statistics import Interval
from benchmarks.summary import metric_values

PLANNING, CEILING, FLOOR = "planning", "myopic", "random"


class Gap(NamedTuple):
    """How much there is to earn in a world above random recommendations.

    Attributes:
        floor: [R] float64, reward per user of random recommendations in each seed.
        above: [R] float64, how much more the planning oracle earns.
    """

    floor: np.ndarray
    above: np.ndarray

    @classmethod
    def of(cls, scenario: str, results: Mapping[str, Sequence[Mapping[str, Any]]]) -> Gap:
        """From the results of a scenario.

        Raises:
            ValueError: the planning oracle does not earn more than random recommendations.
        """
        floor = metric_values(results[FLOOR], "reward_per_user")
        above = planned(results, "reward_per_user") - floor
        if not above.mean() > 0:
            raise ValueError(f"{scenario}: expected the planning oracle above random, got {above.mean()}")
        return cls(floor, above)

    def share(self, reward: np.ndarray) -> Interval:
        """A reward per user [R] as share of the gap, with its interval over seeds.

        mean(reward - floor) / mean(above): a ratio of means, whose interval is that of the mean of the
        seeds' linearised values, in which both parts vary together.

        Source: the delta method for ratios, Cochran (1977), Sampling techniques, section 6.4.
        """
        scale = self.above.mean()
        value = float((reward - self.floor).mean() / scale)
        interval = over_seeds(list((reward - self.floor - value * self.above) / scale))
        return interval._replace(mean=value, lower=value + interval.lower, upper=value + interval.upper)


def planned(results: Mapping[str, Sequence[Mapping[str, Any]]], metric: str) -> np.ndarray:
    """[R] float64: a mean per user of the planning oracle, estimated for all users of each seed."""
    gain = np.array([one["gain"][metric] for one in results[PLANNING]], np.float64)
    return metric_values(results[CEILING], metric) + gain


def of_runs(gained: np.ndarray, above: np.ndarray, statistic: Any) -> Aggregate:
    """A statistic of normalised scores; a seed's reward and its part of the gap are resampled together.

    Args:
        gained: [R, M] float64, reward above random; above: [R, M] float64, that of the planning oracle.
        statistic: of scores [..., R, M].
    """
    world = np.arange(gained.shape[1])

    def of_seeds(number: np.ndarray) -> np.ndarray:
        seed = number.astype(np.int64)
        scores = gained[seed, world] / above[seed, world].mean(axis=-2, keepdims=True)
        values: np.ndarray = statistic(scores)
        return values

    numbers = np.repeat(np.arange(len(gained), dtype=np.float64)[:, None], len(world), axis=1)
    return stratified_interval(numbers, of_seeds, resampling())


def as_interval(aggregate: Aggregate, num_seeds: int) -> Interval:
    """A figure of all worlds as an interval; without ends for a single seed."""
    lower, upper = (float(end) if num_seeds > 1 else np.nan for end in (aggregate.lower, aggregate.upper))
    return Interval(float(aggregate.value), lower, upper, "bootstrap" if num_seeds > 1 else "none", num_seeds)


def percent(interval: Interval) -> str:
    """A share with its interval in percent."""
    return written(interval._replace(**{end: 100 * getattr(interval, end) for end in ENDS}), 0, "%")


ENDS = ("mean", "lower", "upper")
