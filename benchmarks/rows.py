"""One reported figure with its interval: the form in which every comparison writes what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.statistics import Interval, seed_interval

KEYS = ("experiment", "scenario", "agent", "metric", "value", "lower", "upper", "seeds")
"""Of a row; some have more."""

RESAMPLING_SEED = 0
BOUNDS = {
    "catalog_coverage": (0.0, 1.0),
    "exposure_gini": (0.0, 1.0),
    "tail_share": (0.0, 1.0),
    "action_entropy": (0.0, np.inf),
    "coverage": (0.0, 1.0),
    "survival": (0.0, 1.0),
    "lorenz": (0.0, 1.0),
    "hr@10": (0.0, 1.0),
    "ndcg@10": (0.0, 1.0),
    **{
        f"{name}_{metric}": (-1.0, 1.0) for name in ("kendall", "spearman") for metric in ("hr@10", "ndcg@10")
    },
}
"""What a metric or a curve cannot leave; intervals are cut there."""


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
    bounds = BOUNDS.get(metric, (-np.inf, np.inf)) if bounds is None else bounds
    ends = (interval.low, interval.high)
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
