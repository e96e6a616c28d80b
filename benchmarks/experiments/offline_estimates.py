"""Scores of *offline*: off-policy estimates of learned policies against the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from benchmarks.experiments.claims import Claim
from benchmarks.experiments.offline_task import ESTIMATORS, Arm

MEASURES = {
    "rank_correlation": (-1.0, 1.0),
    "relative_bias": (-np.inf, np.inf),
    "relative_error": (0.0, np.inf),
}
"""What an estimator is judged by, and what it cannot leave."""


def estimate_quality(
    results: Mapping[Arm, Sequence[Mapping[str, Any]]], logs: Sequence[tuple[str, int]], name: str
) -> dict[str, np.ndarray]:
    """What an estimator is worth, seed by seed: [R] float64 each.

    rank_correlation: Spearman's, of estimates and true returns of the policies that were learned from the
    same log, mean over logs (0 where it is undefined). relative_bias, relative_error: mean and mean size of
    (estimate - truth) / truth over policies, of the truth that it estimates; missing where a seed has none.
    """
    num_seeds = len(next(iter(results.values())))
    truth_key = "decision" if ESTIMATORS[name] == "decision" else "return"
    correlations, biases, errors = [], [], []
    for number in range(num_seeds):
        of_logs, relative = [], []
        for log in logs:
            found = [of[number] for arm, of in results.items() if arm[1:] == log]
            known = [one for one in found if one["estimates"][name] is not None]
            estimates = np.array([one["estimates"][name] for one in known])
            of_logs.append(rank_correlation(estimates, np.array([one["return"] for one in known])))
            relative += [
                (one["estimates"][name] - one[truth_key]) / one[truth_key]
                for one in known
                if one[truth_key] > 0
            ]
        correlations.append(np.mean(of_logs))
        biases.append(np.mean(relative) if relative else np.nan)
        errors.append(np.mean(np.abs(relative)) if relative else np.nan)
    measures = {
        "rank_correlation": np.array(correlations),
        "relative_bias": np.array(biases),
        "relative_error": np.array(errors),
    }
    return {measure: values for measure, values in measures.items() if np.isfinite(values).all()}


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's coefficient with mean ranks of ties; 0 where one of the two does not vary.

    Source: Spearman (1904).
    """
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])


def estimate_claims(place: str, quality: Mapping[str, Mapping[str, np.ndarray]]) -> list[Claim]:
    """Whether estimates rank policies, and whether they lean to one side."""
    texts = {
        "rank_correlation": "rank correlation of {name} with the true return, among policies of one log,",
        "relative_bias": "relative bias of {name} for {what}",
    }
    what = {"decision": "a decision in the log's situations", "session": "a session"}
    return [
        Claim(
            name,
            f"{measure}_minus_0",
            f"{place}: {text.format(name=name, what=what[ESTIMATORS[name]])} {{verdict}} 0",
            measures[measure],
            np.zeros(len(measures[measure])),
        )
        for name, measures in quality.items()
        for measure, text in texts.items()
        if measure in measures
    ]


def scatter(results: Mapping[Arm, Sequence[Mapping[str, Any]]], name: str) -> list[dict[str, Any]]:
    """Means over seeds of truth and estimate, for each arm that has estimates in all seeds."""
    truth = "decision" if ESTIMATORS[name] == "decision" else "return"

    def points() -> Iterator[dict[str, Any]]:
        for arm, found in results.items():
            estimates = [one["estimates"][name] for one in found]
            if None not in estimates:
                yield {
                    "learner": arm[0],
                    "policy": arm[1],
                    "decisions": arm[2],
                    "truth": float(np.mean([one[truth] for one in found])),
                    "estimate": float(np.mean(estimates)),
                }

    return list(points())
