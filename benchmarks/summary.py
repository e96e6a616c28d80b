"""From the results of single seeds to what is reported: means, intervals, differences, shares of a gap."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.rows import bounds_of, over_seeds, resampling, row
from benchmarks.statistics import gap_share, paired_difference, seed_band

NAME = "compare"
"""In the place of an experiment: the main job."""

FLOOR, CEILING = "random", "myopic"
"""The gap: from random items to the item of highest expected immediate reward (simulator only)."""

REFERENCES = ("random", "popular", "logging", "myopic")
"""Policies that learn nothing, part of every comparison."""

COMPARED_TO = ("logging", "popular")

Scores = Mapping[str, Sequence[Mapping[str, Any]]]
"""Agent -> one result per seed, in the same order for all: {"metrics", "curves", "seconds"}, a dict each."""

AFTER_THE_END = {
    "cumulative_reward": "last",
    "coverage": "last",
    "new_topics": "last",
    "survival": "zero",
}
"""What a curve over steps does after the last user has left; other curves are as long for all seeds."""


def summary_rows(scores: Scores, scenario: str) -> list[dict[str, Any]]:
    """One `row` per agent and metric, `gap_share`, and `reward_minus_X` for each X of COMPARED_TO."""
    reward = {agent: metric_values(results, "reward_per_user") for agent, results in scores.items()}
    rows = []
    for agent, results in scores.items():
        for metric in known_everywhere(results):
            interval = over_seeds(metric_values(results, metric))
            rows.append(row(NAME, scenario, agent, metric, interval))
        share = gap_share(reward[agent], reward[FLOOR], reward[CEILING])
        rows.append(row(NAME, scenario, agent, "gap_share", over_seeds(share)))
        for other in COMPARED_TO:
            if other != agent:
                difference = paired_difference(reward[agent], reward[other], resampling())
                rows.append(row(NAME, scenario, agent, f"reward_minus_{other}", difference))
    return rows


def known_everywhere(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """The metrics that every seed has; some have no value where, say, nobody of a seed earned anything."""
    return [name for name in results[0]["metrics"] if all(name in one["metrics"] for one in results)]


def summary_curves(scores: Scores) -> dict[str, dict[str, dict[str, list[float | None]]]]:
    """Agent -> curve -> {"mean", "lower", "upper"}: lists over steps, or over shares of items for `lorenz`.

    All agents' curves over steps are as long as the longest session of all.
    """
    longest = max(len(result["curves"]["survival"]) for results in scores.values() for result in results)
    curves: dict[str, dict[str, dict[str, list[float | None]]]] = {}
    for agent, results in scores.items():
        curves[agent] = {}
        for name in results[0]["curves"]:
            stacked = np.stack([_extend(result["curves"][name], name, longest) for result in results])
            mean, lower, upper, _ = seed_band(stacked, resampling())
            bounds = bounds_of(name)
            lower, upper = np.clip(lower, *bounds), np.clip(upper, *bounds)
            curves[agent][name] = {"mean": _plain(mean), "lower": _plain(lower), "upper": _plain(upper)}
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


def _extend(curve: Sequence[float], name: str, length: int) -> np.ndarray:
    values = np.asarray(curve, dtype=np.float64)
    if name not in AFTER_THE_END:
        return values
    return np.pad(
        values, (0, length - len(values)), mode="edge" if AFTER_THE_END[name] == "last" else "constant"
    )


def _plain(values: np.ndarray) -> list[float | None]:
    return [None if math.isnan(value) else float(value) for value in values]
