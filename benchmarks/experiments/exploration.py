"""*exploration*: what exploring costs in reward, and what it brings in coverage, exposure and knowledge.

Two families of arms: noise around one fixed ranking, from which nothing is learned, and explorers that learn
while they serve (`exploration_learning`), for whom greed has a price.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.experiments.draw_exploration import draw
from benchmarks.experiments.exploration_learning import (
    BY_DECISION,
    CURVE_STEP,
    LEARNERS,
    learning_name,
    score_learner,
)
from benchmarks.experiments.frame import Definition, Finding, Score, Size
from benchmarks.experiments.paired import differences
from benchmarks.experiments.serve import score_policy
from benchmarks.rows import over_seeds, row
from benchmarks.tasks import Task

NAME = "exploration"
TEMPERATURES, EPSILONS = (0.03, 0.1, 0.3, 1.0), (0.0, 0.05, 0.2, 0.5)
ARMS = {
    "uniform": "uniform",
    **{f"softmax {value:g}": f"softmax:temperature={value:g}" for value in TEMPERATURES},
    **{f"epsilon {value:g}": f"epsilon-greedy:epsilon={value:g}" for value in EPSILONS},
    "popular": "popular",
}
"""Noise: name -> specification; all but the two references rank by the same utility of visible features."""
REFERENCE = "epsilon 0"
METRICS = (
    "reward_per_user",
    "session_length",
    "regret_per_step",
    "regret_share",
    "catalog_coverage",
    "action_entropy",
    "user_novelty",
    "new_topics_per_user",
    "state_coverage",
    "tail_share",
    "exposure_gini",
    "popularity_lift",
    "late_regret_per_step",
)
CURVES = ("cumulative_regret", "coverage", "cumulative_reward", BY_DECISION)
SIZES: dict[str, Size] = {
    "quick": {"scenarios": ["Storefront-v0"], "num_users": 200, "learning_users": 300, "num_seeds": 3},
    "standard": {
        "scenarios": ["Storefront-v0", "InterestExploration-v0", "Boredom-v0", "Memoryless-v0"],
        "num_users": 500,
        "learning_users": 500,
        "num_seeds": 10,
    },
    "full": {
        "scenarios": [
            "Storefront-v0",
            "StorefrontSlate-v0",
            "InterestExploration-v0",
            "Boredom-v0",
            "Memoryless-v0",
            "Lifetime-v0",
        ],
        "num_users": 2_000,
        "learning_users": 5_000,
        "num_seeds": 20,
    },
}
SECONDS_PER_USER = 0.008
"""Of one core, for the users of Storefront; most of it looks for the best of 1,000 items at every step."""


def tasks(size: Size, seeds: Sequence[int]) -> list[Task]:
    """One for each scenario, arm and seed."""
    noise = [
        Task(
            task_name(scenario, arm, seed),
            score_policy,
            {"scenario": scenario, "policy": ARMS[arm], "seed": seed, "num_users": size["num_users"]},
        )
        for scenario in size["scenarios"]
        for arm in ARMS
        for seed in seeds
    ]
    return noise + [
        Task(
            task_name(scenario, learning_name(arm), seed),
            score_learner,
            {"scenario": scenario, "arm": arm, "seed": seed, "num_users": size["learning_users"]},
        )
        for scenario in size["scenarios"]
        for arm in LEARNERS
        for seed in seeds
    ]


def task_name(scenario: str, arm: str, seed: int) -> str:
    """File stem of a result."""
    return f"{scenario}-{arm.replace(' ', '-')}-seed-{seed}"


def score(result: Callable[[str], dict[str, Any]], size: Size, seeds: Sequence[int]) -> Score:
    """Metrics of every arm, differences of reward to the greedy one, and the frontiers."""
    rows: list[dict[str, Any]] = []
    findings: list[Finding] = []
    curves: dict[str, Any] = {}
    for scenario in size["scenarios"]:
        curves[scenario] = {"curve_step": CURVE_STEP}
        for family, names, reference in (
            ("noise", {arm: arm for arm in ARMS}, REFERENCE),
            ("learning", {arm: learning_name(arm) for arm in LEARNERS}, learning_name("greedy")),
        ):
            results = {
                name: [result(task_name(scenario, name, seed)) for seed in seeds] for name in names.values()
            }
            found, of_family = score_family(scenario, results, reference)
            rows += of_family
            findings += found
            curves[scenario][family] = {arm: mean_curves(results[name]) for arm, name in names.items()}
    return Score(rows, findings, curves)


def score_family(
    scenario: str, results: Mapping[str, Sequence[Mapping[str, Any]]], reference: str
) -> tuple[list[Finding], list[dict[str, Any]]]:
    """Findings and rows of arms that are held against one another.

    Args:
        scenario: name.
        results: arm -> a result per seed.
        reference: the arm that does not explore.
    """
    rows: list[dict[str, Any]] = []
    means: dict[str, dict[str, float]] = {}
    for arm, of_seeds in results.items():
        means[arm] = {}
        for metric in METRICS:
            values = [one["metrics"][metric] for one in of_seeds if metric in one["metrics"]]
            if len(values) == len(of_seeds):
                interval = over_seeds(values)
                rows.append(row(NAME, scenario, arm, metric, interval))
                means[arm][metric] = interval.mean
    rewards = {
        arm: np.array([one["metrics"]["reward_per_user"] for one in of_seeds])
        for arm, of_seeds in results.items()
    }
    differences, findings = against_greedy(scenario, rewards, reference)
    return [*findings, frontier_finding(scenario, means)], rows + differences


def against_greedy(
    scenario: str, rewards: Mapping[str, np.ndarray], reference: str
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Paired differences of reward to the arm that does not explore; p-values corrected for their number."""
    others = [arm for arm in rewards if arm != reference]
    if len(rewards[reference]) < 2:
        return [], []
    found = differences([(rewards[arm], rewards[reference]) for arm in others])
    rows, findings = [], []
    for arm, one in zip(others, found, strict=True):
        rows.append(one.row(NAME, scenario, arm, "reward_minus_greedy"))
        findings.append(Finding(f"{scenario}: {arm} {one.verdict} {reference}, by {one.text}.", one.shown))
    return rows, findings


def frontier_finding(scenario: str, means: Mapping[str, Mapping[str, float]]) -> Finding:
    """Which arms no other arm beats in reward and in tail share at once."""
    points = {arm: (values["reward_per_user"], values["tail_share"]) for arm, values in means.items()}
    efficient = [
        arm
        for arm, (reward, tail) in points.items()
        if not any(r >= reward and t >= tail and (r, t) != (reward, tail) for r, t in points.values())
    ]
    efficient.sort(key=lambda arm: -points[arm][0])
    text = ", ".join(f"{arm} ({points[arm][0]:.2f}, {points[arm][1]:.0%})" for arm in efficient)
    return Finding(f"{scenario}: on the frontier of reward and tail share (of means): {text}.", True)


def mean_curves(results: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Means over seeds of what cumulates.

    By step of the session, a seed whose users have all left keeps its last value; by decision, the curve ends
    with the first seed that ends.
    """
    curves = {}
    for name in CURVES:
        parts = [np.array(one["curves"][name], float) for one in results if name in one["curves"]]
        if not parts:
            continue
        length = (min if name == BY_DECISION else max)(map(len, parts))
        stacked = [np.pad(part[:length], (0, max(0, length - len(part))), mode="edge") for part in parts]
        curves[name] = np.mean(stacked, axis=0).tolist()
    return curves


def core_seconds(size: Size, seeds: Sequence[int]) -> float:
    """By the users served."""
    users = len(ARMS) * size["num_users"] + len(LEARNERS) * size["learning_users"]
    return len(size["scenarios"]) * len(seeds) * users * SECONDS_PER_USER


EXPERIMENT = Definition(
    NAME,
    "What does exploring cost in reward and regret, and what does it bring in coverage, tail exposure and "
    "session length? Epsilon and temperature around one fixed ranking; then epsilon, temperature, UCB and "
    "Thompson sampling while they learn what items are worth.",
    SIZES,
    tasks,
    score,
    draw,
    core_seconds,
)
