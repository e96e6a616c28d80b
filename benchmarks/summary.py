"""From the results of single seeds to what is reported: means, intervals, differences, shares of a gap."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.statistics import Interval, gap_share, paired_difference, seed_band, seed_interval

FLOOR, CEILING = "random", "myopic"
"""The gap: from random items to the item of highest expected immediate reward (simulator only)."""

REFERENCES = ("random", "popular", "logging", "myopic")
"""Policies that learn nothing, part of every comparison."""

COMPARED_TO = ("logging", "popular")

Scores = Mapping[str, Sequence[Mapping[str, Any]]]
"""Agent -> one result per seed, in the same order for all: {"metrics", "curves", "seconds"}, a dict each."""

RESAMPLING_SEED = 0
AFTER_THE_END = {"cumulative_reward": "last", "coverage": "last", "survival": "zero"}
"""What a curve over steps does after the last user has left; other curves are as long for all seeds."""


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


def summary_rows(scores: Scores) -> list[dict[str, Any]]:
    """One row per agent and quantity: metrics, `gap_share`, and `reward_minus_X` for each X of COMPARED_TO.

    Returns:
        {"agent", "quantity", "mean", "low", "high", "method", "num_seeds"}; low, high: None for one seed.
    """
    reward = {agent: metric_values(results, "reward_per_user") for agent, results in scores.items()}
    rows = []
    for agent, results in scores.items():
        for metric in results[0]["metrics"]:
            interval = seed_interval(metric_values(results, metric), _generator())
            rows.append(_row(agent, metric, _cut(metric, interval)))
        share = gap_share(reward[agent], reward[FLOOR], reward[CEILING])
        rows.append(_row(agent, "gap_share", seed_interval(share, _generator())))
        for other in COMPARED_TO:
            if other != agent:
                difference = paired_difference(reward[agent], reward[other], _generator())
                rows.append(_row(agent, f"reward_minus_{other}", difference))
    return rows


def summary_curves(scores: Scores) -> dict[str, dict[str, dict[str, list[float | None]]]]:
    """Agent -> curve -> {"mean", "low", "high"}: lists over steps, or over shares of items for `lorenz`.

    All agents' curves over steps are as long as the longest session of all.
    """
    longest = max(len(result["curves"]["survival"]) for results in scores.values() for result in results)
    curves: dict[str, dict[str, dict[str, list[float | None]]]] = {}
    for agent, results in scores.items():
        curves[agent] = {}
        for name in results[0]["curves"]:
            stacked = np.stack([_extend(result["curves"][name], name, longest) for result in results])
            mean, low, high, _ = seed_band(stacked, _generator())
            bounds = BOUNDS.get(name, (-np.inf, np.inf))
            low, high = np.clip(low, *bounds), np.clip(high, *bounds)
            curves[agent][name] = {"mean": _plain(mean), "low": _plain(low), "high": _plain(high)}
    return curves


def metric_values(results: Sequence[Mapping[str, Any]], metric: str) -> np.ndarray:
    """[R] float64: one metric of every seed."""
    return np.array([result["metrics"][metric] for result in results], dtype=np.float64)


def seed_rows(scores: Scores, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """One flat row per agent and seed: every metric, the share of the gap, and the seconds spent."""
    reward = {agent: metric_values(results, "reward_per_user") for agent, results in scores.items()}
    rows = []
    for agent, results in scores.items():
        share = gap_share(reward[agent], reward[FLOOR], reward[CEILING])
        for seed, result, closed in zip(seeds, results, share, strict=True):
            seconds = {f"seconds_{part}": value for part, value in result["seconds"].items()}
            rows.append(
                {"agent": agent, "seed": seed, **result["metrics"], "gap_share": float(closed), **seconds}
            )
    return rows


def lookup(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """(agent, quantity) -> row."""
    return {(row["agent"], row["quantity"]): row for row in rows}


def lookup_row(
    rows: Sequence[Mapping[str, Any]], scenario: str, agent: str, metric: str
) -> Mapping[str, Any]:
    """The row of an experiment with this scenario, agent and metric."""
    name = scenario.removeprefix("recsim_env/")
    key = (name, agent, metric)
    return next(row for row in rows if (row["scenario"], row["agent"], row["metric"]) == key)


def _row(agent: str, quantity: str, interval: Interval) -> dict[str, Any]:
    row = {"agent": agent, "quantity": quantity, **interval._asdict()}
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()
    }


def _cut(quantity: str, interval: Interval) -> Interval:
    least, most = BOUNDS.get(quantity, (-np.inf, np.inf))
    return interval._replace(
        low=float(np.clip(interval.low, least, most)), high=float(np.clip(interval.high, least, most))
    )


def _extend(curve: Sequence[float], name: str, length: int) -> np.ndarray:
    values = np.asarray(curve, dtype=np.float64)
    if name not in AFTER_THE_END:
        return values
    return np.pad(
        values, (0, length - len(values)), mode="edge" if AFTER_THE_END[name] == "last" else "constant"
    )


def _plain(values: np.ndarray) -> list[float | None]:
    return [None if math.isnan(value) else float(value) for value in values]


def _generator() -> np.random.Generator:
    """The same resamples for every quantity, so that a row does not depend on which others are reported."""
    return np.random.default_rng(RESAMPLING_SEED)
