"""One reported figure with its interval: the form in which every comparison writes what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.statistics import Interval, seed_interval

KEYS = ("experiment", "scenario", "agent", "metric", "value", "lower", "upper", "seeds")
"""Of a row; some have more."""

RESAMPLING_SEED = 0
SHARES = (
    "catalog_coverage",
    "exposure_gini",
    "exposure_entropy",
    "tail_share",
    "return_rate",
    "churn_rate",
    "user_novelty",
    "state_coverage",
    "segment_reward_parity",
    "segment_tail_gap",
    "topic_disparity",
    "coverage",
    "survival",
    "lorenz",
    "hr@10",
    "ndcg@10",
)
AT_LEAST_ZERO = (
    "first_clicks",
    "first_purchases",
    "first_revenue",
    "first_price",
    "session_length",
    "clicks_per_user",
    "likes_per_user",
    "purchases_per_user",
    "revenue_per_user",
    "visits_per_user",
    "action_entropy",
    "average_popularity",
    "system_novelty",
    "new_topics_per_user",
    "new_topics",
    "state_entropy",
)
CORRELATIONS = ("kendall_hr@10", "kendall_ndcg@10", "spearman_hr@10", "spearman_ndcg@10")
BOUNDS = {
    **dict.fromkeys(SHARES, (0.0, 1.0)),
    **dict.fromkeys(AT_LEAST_ZERO, (0.0, np.inf)),
    **dict.fromkeys(CORRELATIONS, (-1.0, 1.0)),
}
"""What a metric or a curve cannot leave; intervals are cut there."""


def bounds_of(name: str) -> tuple[float, float]:
    """What a metric or a curve cannot leave, examined or not; everything where nothing is known."""
    return BOUNDS.get(name.removeprefix("examined_"), (-np.inf, np.inf))


def row(
    experiment: str,
    scenario: str,
    agent: str,
    metric: str,
    interval: Interval,
    bounds: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """One reported figure; its interval is cut at what the metric cannot leave, and missing for one seed.

    Bounds are those of the metric's name unless they are given.
    """
    bounds = bounds_of(metric) if bounds is None else bounds
    ends = (interval.lower, interval.upper)
    lower, upper = (None if np.isnan(end) else float(np.clip(end, *bounds)) for end in ends)
    return {
        "experiment": experiment,
        "scenario": scenario.removeprefix("recsim_env/"),
        "agent": agent,
        "metric": metric,
        "value": float(interval.mean),
        "lower": lower,
        "upper": upper,
        "seeds": interval.num_seeds,
    }


def over_seeds(values: Sequence[float] | np.ndarray) -> Interval:
    """The mean over seeds with its interval; the same resamples for every figure."""
    return seed_interval(np.array(values, np.float64), resampling())


def resampling() -> np.random.Generator:
    """The same resamples for every quantity, so that a row does not depend on which others are reported."""
    return np.random.default_rng(RESAMPLING_SEED)


def lookup(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """(agent, metric) -> row, of the rows of one scenario."""
    return {(row["agent"], row["metric"]): row for row in rows}


def lookup_row(
    rows: Sequence[Mapping[str, Any]], scenario: str, agent: str, metric: str
) -> Mapping[str, Any]:
    """The row of an experiment with this scenario, agent and metric."""
    name = scenario.removeprefix("recsim_env/")
    key = (name, agent, metric)
    return next(row for row in rows if (row["scenario"], row["agent"], row["metric"]) == key)
