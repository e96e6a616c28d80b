"""*reward-design*: sweeping purchase against click weights moves what agents do, as the modeller intends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.experiments.frame import Definition, Finding, Score, Size, written
from benchmarks.experiments.paired import differences
from benchmarks.experiments.serve import changed_world
from benchmarks.experiments.serve import score as score_in_world
from benchmarks.rows import lookup_row, over_seeds, row
from benchmarks.style import figure, sweep_looks
from benchmarks.tasks import Report, Task
from recsim_env import get_scenario

NAME = "reward-design"
ORACLE = "myopic"
REWARDS: dict[str, dict[str, float]] = {
    "clicks only": {"click": 1.0, "purchase": 0.0},
    "click = purchase": {"click": 1.0, "purchase": 1.0},
    "click = 1/5": {"click": 0.2, "purchase": 1.0},
    "purchases only": {"click": 0.0, "purchase": 1.0},
    "revenue only": {"click": 0.0, "purchase": 1.0, "price_exponent": 1.0},
}
"""Name -> weights; likes count nothing, a purchase counts one, and its price under `revenue only`."""
METRICS = ("clicks_per_user", "purchases_per_user", "revenue_per_user", "session_length", "tail_share")
INTENDED = (
    ("clicks_per_user", "clicks only", "purchases only"),
    ("purchases_per_user", "purchases only", "clicks only"),
    ("revenue_per_user", "revenue only", "clicks only"),
    ("revenue_per_user", "revenue only", "purchases only"),
)
"""(metric, the reward that asks for it, another): the former should bring more of it."""
SCENARIOS = ["PriceTiers-v0", "PriceTiersLuxury-v0"]
SIZES: dict[str, Size] = {
    "quick": {
        "scenarios": SCENARIOS,
        "agents": [ORACLE],
        "num_users": 300,
        "log_decisions": 0,
        "num_seeds": 3,
    },
    "standard": {
        "scenarios": SCENARIOS,
        "agents": [ORACLE, "ips", "sqn"],
        "num_users": 1_000,
        "log_decisions": 50_000,
        "num_seeds": 5,
    },
    "full": {
        "scenarios": SCENARIOS,
        "agents": [ORACLE, "ips", "sqn"],
        "num_users": 5_000,
        "log_decisions": 1_000_000,
        "num_seeds": 20,
    },
}
SECONDS_PER_USER, SECONDS_PER_DECISION = 0.012, 0.0006


def tasks(size: Size, seeds: Sequence[int]) -> list[Task]:
    """One for each scenario, agent, reward and seed; the longest first."""
    return [
        Task(
            task_name(scenario, agent, reward, seed),
            score_reward,
            {
                "scenario": scenario,
                "agent": agent,
                "reward": reward,
                "seed": seed,
                "num_users": size["num_users"],
                "log_decisions": size["log_decisions"],
            },
        )
        for agent in reversed(size["agents"])
        for scenario in size["scenarios"]
        for reward in REWARDS
        for seed in seeds
    ]


def task_name(scenario: str, agent: str, reward: str, seed: int) -> str:
    """File stem of a result."""
    return f"{scenario}-{agent}-{list(REWARDS).index(reward)}-seed-{seed}"


def score_reward(
    scenario: str, agent: str, reward: str, seed: int, num_users: int, log_decisions: int, report: Report
) -> dict[str, Any]:
    """Every metric of an agent that was made for a reward, on held-out users.

    The oracle maximises that reward. A learner has a log of the logging policy in which that reward is
    written; but for the reward, the logs are the same.
    """
    from agents import AgentSpec, LoggingPolicy, MyopicOracle
    from recsim_env.event_log import collect_log

    world = changed_world(scenario, {"reward": {"like": 0.0, "price_exponent": 0.0, **REWARDS[reward]}})
    policy: Any
    if agent == ORACLE:
        policy = MyopicOracle(world)
    else:
        catalog = world.public_catalog
        log = collect_log(
            world,
            LoggingPolicy(catalog, world.config.slate_size),
            log_decisions,
            seed,
            max_steps=get_scenario(scenario).max_episode_steps,
        )
        policy = AgentSpec.parse(agent).make().fit(log, catalog, seed=seed)
    return score_in_world(world, scenario, policy, seed, num_users, report)


def score(result: Callable[[str], dict[str, Any]], size: Size, seeds: Sequence[int]) -> Score:
    """What users did under each reward, and whether it moved as intended."""
    rows: list[dict[str, Any]] = []
    findings: list[Finding] = []
    for scenario in size["scenarios"]:
        for agent in size["agents"]:
            values = {
                (reward, metric): np.array(
                    [result(task_name(scenario, agent, reward, seed))["metrics"][metric] for seed in seeds]
                )
                for reward in REWARDS
                for metric in METRICS
            }
            rows += [
                row(NAME, scenario, f"{agent}, {reward}", metric, over_seeds(list(of_seeds)))
                for (reward, metric), of_seeds in values.items()
            ]
            findings += intended_findings(scenario, agent, values, len(seeds))
    return Score(rows, findings, {})


def intended_findings(
    scenario: str, agent: str, values: Mapping[tuple[str, str], np.ndarray], num_seeds: int
) -> list[Finding]:
    """Whether each reward brings more of what it asks for than another one, paired by seed."""
    if num_seeds < 2:
        return []
    pairs = [(values[reward, metric], values[other, metric]) for metric, reward, other in INTENDED]
    findings = []
    for (metric, reward, other), one in zip(INTENDED, differences(pairs), strict=True):
        shown, wrong = one.shown and one.interval.low > 0, one.shown and one.interval.high < 0
        verdict = "more" if shown else "FEWER, against the intention," if wrong else "not shown to bring more"
        findings.append(
            Finding(
                f"{scenario}, {agent}: '{reward}' brings {verdict} {metric.replace('_', ' ')} than "
                f"'{other}': {written(one.interval)} (Holm p = {one.p:.3f}).",
                shown,
            )
        )
    return findings


def draw(summary: Mapping[str, Any], folder: Path) -> None:
    """For each scenario: purchases and revenue against clicks, a line through the rewards for each agent."""
    for scenario in summary["settings"]["scenarios"]:
        with figure(folder, f"reward_design_{scenario}", figsize=(9.6, 4.2), ncols=2) as (_, axes):
            for panel, metric in zip(axes, ("purchases_per_user", "revenue_per_user"), strict=True):
                draw_frontier(panel, summary, scenario, metric)
            axes[0].set_title(f"Purchases and clicks · {scenario}")
            axes[1].set_title("Revenue and clicks")
            axes[1].legend(fontsize=7.5)


def draw_frontier(panel: Any, summary: Mapping[str, Any], scenario: str, metric: str) -> None:
    """One panel: every reward a point with its intervals."""
    looks = sweep_looks(list(REWARDS))
    for place, agent in enumerate(summary["settings"]["agents"]):
        points = []
        for reward, look in looks.items():
            across, up = (
                lookup_row(summary["rows"], scenario, f"{agent}, {reward}", name)
                for name in ("clicks_per_user", metric)
            )
            points.append((across["value"], up["value"]))
            label = reward if place == 0 else None
            panel.plot(
                *points[-1], color=look.colour, marker=look.marker, ls="none", ms=7, zorder=5, label=label
            )
            if up["lower"] is not None:
                panel.plot([across["value"]] * 2, [up["lower"], up["upper"]], color=look.colour, lw=1)
                panel.plot([across["lower"], across["upper"]], [up["value"]] * 2, color=look.colour, lw=1)
        panel.plot(*zip(*points, strict=True), color="#9a9a9a", lw=0.8, ls=(0, (2 + 3 * place, 2)), zorder=1)
        panel.annotate(agent, points[-1], xytext=(4, -10), textcoords="offset points", fontsize=8)
    panel.set_xlabel("clicks per user")
    panel.set_ylabel(metric.replace("_", " "))
    panel.margins(0.12)


def core_seconds(size: Size, seeds: Sequence[int]) -> float:
    """By the users served, and by the decisions that learners learn from."""
    each = len(size["scenarios"]) * len(REWARDS) * len(seeds)
    learners = sum(agent != ORACLE for agent in size["agents"])
    served = size["num_users"] * SECONDS_PER_USER * len(size["agents"])
    return each * (served + learners * size["log_decisions"] * SECONDS_PER_DECISION)


EXPERIMENT = Definition(
    NAME,
    "Does weighing purchases against clicks move what agents do as the modeller intends? Clicks, purchases "
    "and revenue of agents made for five rewards, in a world of cheap goods and in its luxury twin.",
    SIZES,
    tasks,
    score,
    draw,
    core_seconds,
)
