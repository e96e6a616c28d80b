"""*exploration*: what random exploration costs in reward, and what it brings in coverage and exposure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import PercentFormatter

from benchmarks.experiments.dots import cross
from benchmarks.experiments.frame import Definition, Finding, Score, Size
from benchmarks.experiments.paired import differences
from benchmarks.experiments.serve import score_policy
from benchmarks.labels import label_points, label_right
from benchmarks.rows import lookup_row, over_seeds, row
from benchmarks.style import figure, sweep_looks
from benchmarks.tasks import Task

NAME = "exploration"
GREEDY = "epsilon-greedy:epsilon=0"
TEMPERATURES, EPSILONS = (0.03, 0.1, 0.3, 1.0), (0.0, 0.05, 0.2, 0.5)
ARMS = {
    "uniform": "uniform",
    **{f"softmax {value:g}": f"softmax:temperature={value:g}" for value in TEMPERATURES},
    **{f"epsilon {value:g}": f"epsilon-greedy:epsilon={value:g}" for value in EPSILONS},
    "popular": "popular",
}
"""Name -> specification; all but the two references rank by the same utility of visible features."""
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
)
SIZES: dict[str, Size] = {
    "quick": {"scenarios": ["Storefront-v0"], "num_users": 200, "num_seeds": 3},
    "standard": {
        "scenarios": ["Storefront-v0", "InterestExploration-v0", "Boredom-v0", "Memoryless-v0"],
        "num_users": 500,
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
        "num_seeds": 20,
    },
}
SECONDS_PER_USER = 0.008
"""Of one core, for the users of Storefront; most of it looks for the best of 1,000 items at every step."""


def tasks(size: Size, seeds: Sequence[int]) -> list[Task]:
    """One for each scenario, arm and seed."""
    return [
        Task(
            task_name(scenario, arm, seed),
            score_policy,
            {"scenario": scenario, "policy": ARMS[arm], "seed": seed, "num_users": size["num_users"]},
        )
        for scenario in size["scenarios"]
        for arm in ARMS
        for seed in seeds
    ]


def task_name(scenario: str, arm: str, seed: int) -> str:
    """File stem of a result."""
    return f"{scenario}-{arm.replace(' ', '-')}-seed-{seed}"


def score(result: Callable[[str], dict[str, Any]], size: Size, seeds: Sequence[int]) -> Score:
    """Metrics of every arm, differences of reward to the greedy arm, and the frontier."""
    rows: list[dict[str, Any]] = []
    findings: list[Finding] = []
    curves: dict[str, Any] = {}
    for scenario in size["scenarios"]:
        results = {arm: [result(task_name(scenario, arm, seed)) for seed in seeds] for arm in ARMS}
        means: dict[str, dict[str, float]] = {}
        for arm, of_seeds in results.items():
            means[arm] = {}
            for metric in METRICS:
                values = [one["metrics"][metric] for one in of_seeds if metric in one["metrics"]]
                if len(values) == len(seeds):
                    interval = over_seeds(values)
                    rows.append(row(NAME, scenario, arm, metric, interval))
                    means[arm][metric] = interval.mean
        rewards = {
            arm: np.array([one["metrics"]["reward_per_user"] for one in of_seeds])
            for arm, of_seeds in results.items()
        }
        differences, found = against_greedy(scenario, rewards)
        rows += differences
        findings += found
        findings.append(frontier_finding(scenario, means))
        curves[scenario] = {arm: mean_curves(of_seeds) for arm, of_seeds in results.items()}
    return Score(rows, findings, curves)


def against_greedy(
    scenario: str, rewards: Mapping[str, np.ndarray]
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Paired differences of reward to the arm that does not explore; p-values corrected for their number."""
    others = [arm for arm in rewards if arm != REFERENCE]
    if len(rewards[REFERENCE]) < 2:
        return [], []
    found = differences([(rewards[arm], rewards[REFERENCE]) for arm in others])
    rows, findings = [], []
    for arm, one in zip(others, found, strict=True):
        rows.append(one.row(NAME, scenario, arm, "reward_minus_greedy"))
        findings.append(Finding(f"{scenario}: {arm} {one.verdict} greedy, by {one.text}.", one.shown))
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
    """Means over seeds of what cumulates by step; a seed whose users have all left keeps its last value."""
    curves = {}
    for name in ("cumulative_regret", "coverage", "cumulative_reward"):
        parts = [np.array(one["curves"][name], float) for one in results]
        longest = max(map(len, parts))
        stacked = [np.pad(part, (0, longest - len(part)), mode="edge") for part in parts]
        curves[name] = np.mean(stacked, axis=0).tolist()
    return curves


def draw(summary: Mapping[str, Any], folder: Path) -> None:
    """For each scenario: cumulative regret by step, coverage by step, and the frontier."""
    for scenario, arms in summary["curves"].items():
        looks = sweep_looks(list(arms))
        with figure(folder, f"exploration_{scenario}", figsize=(12.5, 4.4), ncols=3) as (_, axes):
            for panel, name, label in (
                (axes[0], "cumulative_regret", "regret to the myopic oracle, per user"),
                (axes[1], "coverage", "catalog shown to anyone so far"),
            ):
                labels = []
                for arm, curves in arms.items():
                    look, values = looks[arm], curves[name]
                    panel.plot(
                        values, color=look.colour, ls=look.dash, marker=look.marker, markevery=0.2, ms=4
                    )
                    labels.append((values[-1], arm, look.colour))
                panel.set_xlabel("step of the session (decisions)")
                panel.set_ylabel(label)
                panel.set_xlim(0, max(len(curves[name]) for curves in arms.values()) - 1)
                panel.set_ylim(bottom=0)
                label_right(panel, labels)
            axes[0].set_title(f"Regret · {scenario}")
            axes[1].set_title("Coverage")
            axes[1].yaxis.set_major_formatter(PercentFormatter(1.0))
            draw_frontier(axes[2], summary, scenario, looks)


def draw_frontier(panel: Any, summary: Mapping[str, Any], scenario: str, looks: Mapping[str, Any]) -> None:
    """Tail share against reward, with intervals."""
    marks = [
        cross(
            panel,
            lookup_row(summary["rows"], scenario, arm, "reward_per_user"),
            lookup_row(summary["rows"], scenario, arm, "tail_share"),
            look,
            arm,
        )
        for arm, look in looks.items()
    ]
    panel.set_xlabel("reward per user")
    panel.set_ylabel("impressions that go to the tail")
    panel.yaxis.set_major_formatter(PercentFormatter(1.0))
    panel.set_title("Frontier of reward and exposure")
    panel.margins(x=0.15, y=0.15)
    label_points(panel, marks)


def core_seconds(size: Size, seeds: Sequence[int]) -> float:
    """By the users served."""
    return len(tasks(size, seeds)) * size["num_users"] * SECONDS_PER_USER


EXPERIMENT = Definition(
    NAME,
    "What does exploring at random cost in reward and regret, and what does it bring in coverage, tail "
    "exposure and session length? Epsilon and temperature swept around one ranking.",
    SIZES,
    tasks,
    score,
    draw,
    core_seconds,
)
