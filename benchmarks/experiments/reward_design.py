"""*reward-design*: sweeping purchase against click weights moves what agents do, as the modeller intends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.experiments.frame import Definition, Finding, Score, Size, written
from benchmarks.experiments.paired import differences
from benchmarks.experiments.serve import CE_AND_Q, acting_by, changed_world
from benchmarks.experiments.serve import score as score_in_world
from benchmarks.rows import lookup_row, over_seeds, row
from benchmarks.style import figure, sweep_looks
from benchmarks.tasks import Report, Task
from recsim_env import World, get_scenario

NAME = "reward-design"
ORACLE = "myopic"
REWARDS: dict[str, dict[str, float]] = {
    "clicks only": {"click": 1.0, "purchase": 0.0},
    "click = purchase": {"click": 1.0, "purchase": 1.0},
    "click = 1/5": {"click": 0.2, "purchase": 1.0},
    "purchases only": {"click": 0.0, "purchase": 1.0},
    "revenue only": {"click": 0.0, "purchase": 1.0, "price_exponent": 1.0},
}
"""Name -> weights; likes count nothing, a purchase counts one, and under `revenue only` its price
divided by the catalog's mean price, so that all rewards are of one size."""
AMOUNTS = ("clicks", "purchases", "revenue")
UNITS = ("decision", "user")
"""What the agent does; and what comes of it, since rewards also decide how long users stay."""
METRICS = (*(f"{amount}_per_{unit}" for unit in UNITS for amount in AMOUNTS), "session_length", "tail_share")
INTENDED = (
    ("clicks", "clicks only", "purchases only"),
    ("purchases", "purchases only", "clicks only"),
    ("revenue", "revenue only", "clicks only"),
    ("revenue", "revenue only", "purchases only"),
)
"""(amount, the reward that asks for it, another): the former should bring more of it."""
BY_EITHER_HEAD = ("sqn",)
"""Agents that are trained once, and serve as two arms."""
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
        "num_users": 500,
        "log_decisions": 150_000,
        "num_seeds": 10,
    },
    "full": {
        "scenarios": SCENARIOS,
        "agents": [ORACLE, "ips", "sqn"],
        "num_users": 5_000,
        "log_decisions": 1_000_000,
        "num_seeds": 20,
    },
}
SECONDS_PER_USER, SECONDS_PER_DECISION = 0.012, 0.0004


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
    """Every metric of the arms of an agent that was made for a reward, on held-out users.

    The oracle maximises that reward. A learner has a log of the logging policy in which that reward is
    written; but for the reward, the logs are the same.

    Returns:
        {arm: metrics}.
    """
    from agents import AgentSpec, LoggingPolicy, MyopicOracle
    from recsim_env.event_log import collect_log

    world = rewarding_world(scenario, reward)
    arms: dict[str, Any]
    if agent == ORACLE:
        arms = {agent: MyopicOracle(world)}
    else:
        catalog = world.public_catalog
        log = collect_log(
            world,
            LoggingPolicy(catalog, world.config.slate_size),
            log_decisions,
            seed,
            max_steps=get_scenario(scenario).max_episode_steps,
        )
        learned: Any = AgentSpec.parse(agent).make().fit(log, catalog, seed=seed)
        arms = {agent: learned}
        if agent in BY_EITHER_HEAD:
            arms = {agent + ending: acting_by(learned, head) for ending, head in CE_AND_Q.items()}
    return {
        arm: measured(score_in_world(world, scenario, policy, seed, num_users, report)["metrics"])
        for arm, policy in arms.items()
    }


def rewarding_world(scenario: str, reward: str) -> World:
    """The world of a scenario, with one of `REWARDS`."""
    weights = {"like": 0.0, "price_exponent": 0.0, **REWARDS[reward]}
    if weights["price_exponent"]:
        price = changed_world(scenario, {}).public_catalog.price
        weights["purchase"] /= float(np.mean(price ** weights["price_exponent"]))
    return changed_world(scenario, {"reward": weights})


def measured(metrics: Mapping[str, float]) -> dict[str, float]:
    """`METRICS`; what a decision brings is what a user brings, by the decisions of a session."""
    rates = {
        f"{amount}_per_decision": metrics[f"{amount}_per_user"] / metrics["session_length"]
        for amount in AMOUNTS
    }
    return {name: {**metrics, **rates}[name] for name in METRICS}


def arms_of(agents: Sequence[str]) -> list[tuple[str, str]]:
    """(agent, arm) of all agents."""
    return [
        (agent, agent + ending)
        for agent in agents
        for ending in (CE_AND_Q if agent in BY_EITHER_HEAD else [""])
    ]


def score(result: Callable[[str], dict[str, Any]], size: Size, seeds: Sequence[int]) -> Score:
    """What users did under each reward, and whether it moved as intended."""
    rows: list[dict[str, Any]] = []
    findings: list[Finding] = []
    for scenario in size["scenarios"]:
        for agent, arm in arms_of(size["agents"]):
            values = {
                (reward, metric): np.array(
                    [result(task_name(scenario, agent, reward, seed))[arm][metric] for seed in seeds]
                )
                for reward in REWARDS
                for metric in METRICS
            }
            rows += [
                row(NAME, scenario, f"{arm}, {reward}", metric, over_seeds(list(of_seeds)))
                for (reward, metric), of_seeds in values.items()
            ]
            for unit in UNITS:
                found, compared = intended(scenario, arm, unit, values, len(seeds))
                findings += found
                rows += compared
    return Score(rows, findings, {})


def intended(
    scenario: str, arm: str, unit: str, values: Mapping[tuple[str, str], np.ndarray], num_seeds: int
) -> tuple[list[Finding], list[dict[str, Any]]]:
    """Findings and rows: whether each reward brings more of what it asks for than another, paired by seed."""
    if num_seeds < 2:
        return [], []
    metrics = [f"{amount}_per_{unit}" for amount, _, _ in INTENDED]
    pairs = [
        (values[reward, metric], values[other, metric])
        for metric, (_, reward, other) in zip(metrics, INTENDED, strict=True)
    ]
    findings, rows = [], []
    for metric, (_, reward, other), one in zip(metrics, INTENDED, differences(pairs), strict=True):
        shown, wrong = one.shown and one.interval.low > 0, one.shown and one.interval.high < 0
        verdict = (
            "higher" if shown else "LOWER, against the intention," if wrong else "not shown to be higher"
        )
        findings.append(
            Finding(
                f"{scenario}, {arm}: {metric.replace('_', ' ')} {verdict} under '{reward}' than under "
                f"'{other}', by {written(one.interval)} (Holm p = {one.p:.3f}).",
                shown,
            )
        )
        rows.append(one.row(NAME, scenario, f"{arm}, {reward}", f"{metric}_minus_{other}"))
    return findings, rows


def draw(summary: Mapping[str, Any], folder: Path) -> None:
    """For each scenario: purchases and revenue against clicks, a line through the rewards for each agent."""
    for scenario in summary["settings"]["scenarios"]:
        with figure(folder, f"reward_design_{scenario}", figsize=(9.6, 4.2), ncols=2) as (_, axes):
            for panel, metric in zip(axes, ("purchases_per_decision", "revenue_per_decision"), strict=True):
                draw_frontier(panel, summary, scenario, metric)
            axes[0].set_title(f"Purchases and clicks · {scenario}")
            axes[1].set_title("Revenue and clicks")
            axes[1].legend(fontsize=7.5)


def draw_frontier(panel: Any, summary: Mapping[str, Any], scenario: str, metric: str) -> None:
    """One panel: every reward a point with its intervals."""
    looks = sweep_looks(list(REWARDS))
    for place, (_, agent) in enumerate(arms_of(summary["settings"]["agents"])):
        points = []
        for reward, look in looks.items():
            across, up = (
                lookup_row(summary["rows"], scenario, f"{agent}, {reward}", name)
                for name in ("clicks_per_decision", metric)
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
    panel.set_xlabel("clicks per decision")
    panel.set_ylabel(metric.replace("_", " "))
    panel.margins(0.12)


def core_seconds(size: Size, seeds: Sequence[int]) -> float:
    """By the users served, and by the decisions that learners learn from."""
    each = len(size["scenarios"]) * len(REWARDS) * len(seeds)
    learners = sum(agent != ORACLE for agent in size["agents"])
    served = size["num_users"] * SECONDS_PER_USER * len(arms_of(size["agents"]))
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
