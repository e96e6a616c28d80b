"""*controls*: every learner beside its controls, where the answer is known and where it is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from benchmarks.experiment import untrained_policies
from benchmarks.experiments.controls_arms import CASES, GAMMA_0, NEXT_ITEM, trained_arms
from benchmarks.experiments.frame import Definition, Finding, Score, Size
from benchmarks.experiments.paired import differences
from benchmarks.experiments.serve import user_returns
from benchmarks.rows import over_seeds
from benchmarks.statistics import Interval
from benchmarks.style import figure
from benchmarks.tasks import Report, Task
from recsim_env import World, get_scenario

NAME = "controls"
REFERENCE = "reference"
RANDOM, LOGGING, OPTIMUM, MYOPIC = "random", "logging", "optimum", "myopic oracle"
SIZES: dict[str, Size] = {
    "quick": {"scenarios": ["Tiny-v0"], "decisions": {}, "num_users": 1_000, "num_seeds": 3},
    "standard": {"scenarios": list(CASES), "decisions": {}, "num_users": 2_000, "num_seeds": 10},
    "full": {
        "scenarios": list(CASES),
        "decisions": {"Memoryless-v0": 1_000_000, "Storefront-v0": 24_000_000},
        "num_users": 10_000,
        "num_seeds": 20,
    },
}
"""`decisions`: scenario -> length of logs where it is not the case's own."""
SECONDS: dict[str, float] = {
    "Tiny-v0": 150.0,
    "LongTermSatisfaction-v0": 1_400.0,
    "Memoryless-v0": 150.0,
    "Storefront-v0": 600.0,
}
"""Of one core, for one seed of a scenario."""


def tasks(size: Size, seeds: Sequence[int]) -> list[Task]:
    """One for each scenario, training and seed, and one for the references."""
    return [
        Task(
            task_name(scenario, training, seed),
            score_training,
            {
                "scenario": scenario,
                "training": training,
                "decisions": size["decisions"].get(scenario, CASES[scenario].decisions),
                "seed": seed,
                "num_users": size["num_users"],
            },
        )
        for scenario in size["scenarios"]
        for seed in seeds
        for training in (*CASES[scenario].trainings, REFERENCE)
    ]


def task_name(scenario: str, training: str, seed: int) -> str:
    """File stem of a result."""
    return f"{scenario}-{training.replace(',', '').replace(' ', '-')}-seed-{seed}"


def score_training(
    scenario: str, training: str, decisions: int, seed: int, num_users: int, report: Report
) -> dict[str, Any]:
    """Reward per user of the arms of a training, or of the references, on held-out users.

    All arms of one seed meet the same users with the same luck, and seeds share no user.

    Returns:
        {arm: reward per user}.
    """
    world = World(get_scenario(scenario).config)
    if training == REFERENCE:
        arms = references(scenario, world)
    else:
        found = CASES[scenario].trainings[training]
        made = trained_arms(scenario, found, decisions, seed, lambda done: report(0.9 * done))
        arms = {training + ending: policy for ending, policy in made.items()}
    users = world.users(num_users, seed * num_users)
    steps = get_scenario(scenario).max_episode_steps
    return {
        name: float(np.mean(user_returns(world, policy, users, seed, steps, lambda _: None)))
        for name, policy in arms.items()
    }


def references(scenario: str, world: World) -> dict[str, Any]:
    """Policies that learn nothing: random items, the logging policy, and the best that is known."""
    from agents.registry import OPTIMAL

    known = untrained_policies(world)
    arms = {RANDOM: known["random"](), LOGGING: known["logging"]()}
    if scenario in OPTIMAL:
        return arms | {OPTIMUM: OPTIMAL[scenario](world)}
    if not CASES[scenario].expected:  # nothing carries over, so that the best next reward is the best of all
        return arms | {OPTIMUM: known["myopic"]()}
    return arms | {MYOPIC: known["myopic"]()}


def score(result: Callable[[str], dict[str, Any]], size: Size, seeds: Sequence[int]) -> Score:
    """Every arm's reward, and its paired differences to its controls."""
    rows: list[dict[str, Any]] = []
    findings: list[Finding] = []
    arms: dict[str, dict[str, list[float | None]]] = {}
    for scenario in size["scenarios"]:
        values = rewards(result, scenario, seeds)
        optimum = values.get(OPTIMUM)
        own = {}
        for arm, of_seeds in values.items():
            own[arm] = over_seeds(list(of_seeds))
            rows.append(control_row(scenario, arm, None, own[arm], share(of_seeds, optimum)))
        arms[scenario] = {
            arm: [None if np.isnan(end) else end for end in interval[:3]] for arm, interval in own.items()
        }
        found, differences = compared(scenario, values)
        findings += found
        rows += differences
    return Score(rows, findings, {"arms": arms})


def rewards(
    result: Callable[[str], dict[str, Any]], scenario: str, seeds: Sequence[int]
) -> dict[str, np.ndarray]:
    """Arm -> [seeds] reward per user; references last."""
    values: dict[str, list[float]] = {}
    for training in (*CASES[scenario].trainings, REFERENCE):
        for seed in seeds:
            for arm, reward in result(task_name(scenario, training, seed)).items():
                values.setdefault(arm, []).append(reward)
    return {arm: np.array(of_seeds) for arm, of_seeds in values.items()}


def share(values: np.ndarray, optimum: np.ndarray | None) -> float | None:
    """Mean reward as a share of the optimum's on the same users; None where no optimum is known."""
    return None if optimum is None else float(values.mean() / optimum.mean())


def control_row(
    scenario: str, agent: str, control: str | None, interval: Interval, part: float | None
) -> dict[str, Any]:
    """A row: reward per user of an agent, or with a control the paired difference to it.

    `part` is its share of the optimum, the agent's own in both.
    """
    lower, upper = (None if np.isnan(end) else float(end) for end in (interval.lower, interval.upper))
    return {
        "experiment": NAME,
        "scenario": scenario,
        "agent": agent,
        "control": control,
        "mean": float(interval.mean),
        "lower": lower,
        "upper": upper,
        "seeds": interval.num_seeds,
        "share_of_optimum": part,
    }


def compared(scenario: str, values: Mapping[str, np.ndarray]) -> tuple[list[Finding], list[dict[str, Any]]]:
    """Findings and rows of every comparison, corrected for their number in the scenario; none of one seed."""
    case = CASES[scenario]
    pairs = [(values[agent], values[control]) for agent, control in case.comparisons]
    if len(pairs[0][0]) < 2:
        return [], []
    findings, rows = [], []
    for (agent, control), (own, _), found in zip(case.comparisons, pairs, differences(pairs), strict=True):
        part = share(own, values.get(OPTIMUM))
        rows.append(control_row(scenario, agent, control, found.interval, part))
        reached = "" if part is None else f" ({part:.0%} of the optimum)"
        asked = "" if case.expected else "; nothing carries over here, so that it should not"
        findings.append(
            Finding(
                f"{scenario}: {agent}{reached} {found.verdict} {control}: {found.text}{asked}.",
                (found.shown and found.interval.mean > 0) == case.expected,
            )
        )
    return findings, rows


def draw(summary: Mapping[str, Any], folder: Path) -> None:
    """For each scenario every arm's reward with its interval: learners, controls and references."""
    for scenario, arms in summary["curves"]["arms"].items():
        with figure(folder, f"controls_{scenario}", figsize=(7.2, 1.2 + 0.32 * len(arms))) as (_, axes):
            names = sorted(arms, key=lambda arm: arms[arm][0])
            for place, arm in enumerate(names):
                colour, marker = look(arm)
                mean, lower, upper = arms[arm]
                if lower is not None:
                    axes.plot([lower, upper], [place, place], color=colour, lw=1.5)
                axes.plot(mean, place, color=colour, marker=marker, ls="none", ms=7)
            axes.set_yticks(range(len(names)), names)
            axes.set_xlabel("reward per user")
            axes.set_title(f"Learners and their controls · {scenario}")
            axes.margins(x=0.06)
            kinds = {"learner": "sqn", "its control": NEXT_ITEM, "learns nothing": RANDOM}
            handles = [
                Line2D([], [], color=look(arm)[0], marker=look(arm)[1], ls="none", label=label)
                for label, arm in kinds.items()
            ]
            axes.legend(handles=handles, fontsize=8, loc="lower right")


def look(arm: str) -> tuple[str, str]:
    """(colour, marker) of an arm, by what it is."""
    if arm in (RANDOM, LOGGING, OPTIMUM, MYOPIC):
        return "#6b6b6b", "D"
    return ("#d55e00", "s") if arm == NEXT_ITEM or GAMMA_0 in arm else ("#0072b2", "o")


def core_seconds(size: Size, seeds: Sequence[int]) -> float:
    """By scenario, in proportion to the decisions."""
    total = 0.0
    for scenario in size["scenarios"]:
        own = CASES[scenario].decisions
        total += SECONDS[scenario] * (size["decisions"].get(scenario, own) / own if own else 1.0)
    return total * len(seeds)


EXPERIMENT = Definition(
    NAME,
    "What do learners gain over their controls: the twin without foresight, next-item prediction, and the "
    "policy that made the log? Where the optimum is known, where nothing carries over, and from a log of "
    "200,000 users.",
    SIZES,
    tasks,
    score,
    draw,
    core_seconds,
)
