"""`recsim-env learning-curve`: offline learners against the length of the log they learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.choices import check_file, find_agents, find_scenario, parse_sizes, why_unable
from benchmarks.compare import comparison_settings, task_name
from benchmarks.curve_report import arm_name, arm_text, curve_table, draw_learning_curve
from benchmarks.engines import Engine
from benchmarks.errors import UsageError
from benchmarks.experiment import Experiment, score_agent
from benchmarks.experiments.normalised import percent
from benchmarks.experiments.paired import Difference, Twin, of_twins
from benchmarks.progress import run_missing
from benchmarks.rows import over_seeds, row
from benchmarks.saving import write_csv, write_rows, write_summary
from benchmarks.statistics import Interval, gap_share
from benchmarks.style import display_name
from benchmarks.summary import CEILING, FLOOR, metric_values
from benchmarks.tasks import Task, TaskFolder
from recsim_env import WorldConfig, get_scenario

NAME = "learning-curve"
LEAST_SIZE = 1_000
EVAL_USERS = 5_000
FIXED = (FLOOR, CEILING, "logging")
"""Policies whose score does not depend on a log: the ends of the gap, and the policy that wrote the logs."""


def learning_curve(
    *,
    scenario: str,
    agents: str | None,
    sizes: str,
    num_seeds: int,
    first_seed: int,
    out: Path,
    jobs: int | Engine,
    overwrite: bool,
    json_path: Path | None,
    console: Console,
) -> dict[str, Any]:
    """Run what is missing, then report; see the command's help for the arguments. Returns the summary."""
    check_file(json_path)
    lengths = parse_sizes("--sizes", sizes, LEAST_SIZE)
    seeds = list(range(first_seed, first_seed + num_seeds))
    experiment = Experiment(find_scenario(scenario), max(lengths), 1, 1, EVAL_USERS)
    config = get_scenario(experiment.scenario).config
    learners = find_learners(agents, config)
    settings = comparison_settings(NAME, replace(experiment, log_decisions=0), config)
    folder = TaskFolder(out, settings, overwrite)
    tasks = [
        Task(
            name,
            score_agent,
            {"experiment": replace(experiment, log_decisions=length), "agent": agent, "seed": seed},
        )
        for length in sorted(lengths, reverse=True)
        for agent in learners
        for seed in seeds
        for name in [sized_name(agent, length, seed)]
    ]
    tasks += [
        Task(task_name(agent, seed), score_agent, {"experiment": experiment, "agent": agent, "seed": seed})
        for agent in FIXED
        for seed in seeds
    ]
    run_missing(NAME, tasks, folder, jobs, console)
    summary = report(folder, learners, lengths, seeds)
    console.print(curve_table(summary))
    console.print(f"Table, figure and settings: {out}", style="bold")
    if json_path is not None:
        write_rows(json_path, NAME, summary["rows"])
    return summary


def report(
    folder: TaskFolder, learners: Sequence[str], lengths: Sequence[int], seeds: Sequence[int]
) -> dict[str, Any]:
    """Write `per_seed.csv`, `summary.json` and the figure from saved results; returns the summary.

    An agent that takes part with a setting changed is a control of the agent, compared with it at every size.
    """
    fixed = {agent: _reward(folder, [task_name(agent, seed) for seed in seeds]) for agent in FIXED}
    rows: list[dict[str, Any]] = []
    per_seed: list[dict[str, Any]] = []
    rewards: dict[str, np.ndarray] = {}
    shares: dict[str, Interval] = {}
    scenario = folder.settings["scenario"]
    cases = [(agent, length) for agent in learners for length in sorted(lengths)]
    for agent, length in [*cases, ("logging", None)]:
        reward = fixed["logging"]
        if length is not None:
            reward = _reward(folder, [sized_name(agent, length, seed) for seed in seeds])
        share = gap_share(reward, fixed[FLOOR], fixed[CEILING])
        arm = arm_name(agent, length)
        rewards[arm], shares[arm] = reward, over_seeds(share)
        rows.append(row(NAME, scenario, arm, "reward_per_user", over_seeds(reward)))
        rows.append(row(NAME, scenario, arm, "gap_share", shares[arm]))
        per_seed += [
            {
                "agent": agent,
                "log_decisions": length,
                "seed": seed,
                "reward_per_user": value,
                "gap_share": closed,
            }
            for seed, value, closed in zip(seeds, reward.tolist(), share.tolist(), strict=True)
        ]
    twins = [
        Twin(arm_name(agent, length), arm_name(control, length), "")
        for agent in learners
        for control in learners
        if control.startswith(f"{agent}:") or control.startswith(f"{agent},")
        for length in sorted(lengths)
    ]
    compared = of_twins(twins, rewards)
    rows += [
        one.row(NAME, scenario, twin.agent, f"reward_minus_{twin.control}") for twin, one in compared.items()
    ]
    write_csv(folder.folder / "per_seed.csv", per_seed)
    saved = write_summary(
        folder,
        agents=list(learners),
        sizes=sorted(lengths),
        seeds=list(seeds),
        rows=rows,
        per_seed=per_seed,
        findings=[*share_findings(shares, learners, sorted(lengths)), *twin_findings(compared)],
    )
    draw_learning_curve(saved, folder.folder)
    return saved


def share_findings(
    shares: Mapping[str, Interval], learners: Sequence[str], lengths: Sequence[int]
) -> list[dict[str, Any]]:
    """What each learner closes of the gap, size by size."""
    findings = []
    for agent in learners:
        text = ", ".join(f"{percent(shares[arm_name(agent, length)])} from {length:,}" for length in lengths)
        findings.append(
            {"text": f"{display_name(agent)} closes of the gap: {text} decisions.", "shown": True}
        )
    return findings


def twin_findings(compared: Mapping[Twin, Difference]) -> list[dict[str, Any]]:
    """Every learner against its controls on the same logs."""
    return [
        {
            "text": f"{arm_text(twin.agent)} {one.verdict} {arm_text(twin.control)}: {one.text}.",
            "shown": one.shown,
        }
        for twin, one in compared.items()
    ]


def _reward(folder: TaskFolder, names: Sequence[str]) -> np.ndarray:
    return metric_values([folder.result(name) for name in names], "reward_per_user")


def find_learners(names: str | None, config: WorldConfig) -> list[str]:
    """The offline learners asked for; by default those that `compare` takes, as far as they can learn there.

    Raises:
        UsageError: an agent is unknown, does not learn from logs, or cannot learn in this world; or none can.
    """
    from agents import COMPARED, OFFLINE, AgentSpec, split_specs

    if names is None:
        able = [name for name in COMPARED if name in OFFLINE and why_unable(name, config) is None]
        if not able:
            raise UsageError("of the usual learners from logs none can learn in this scenario; name --agents")
        return able
    found = find_agents(names, config)
    asked = {AgentSpec.parse(text).text for text in split_specs(names)}
    chosen = [text for text in found if text in asked]
    for text in chosen:
        if (name := text.partition(":")[0]) not in OFFLINE:
            raise UsageError(f"agent {name!r} does not learn from logs; those that do: {', '.join(OFFLINE)}")
    return chosen


def sized_name(agent: str, length: int, seed: int) -> str:
    """File stem of a learner's result."""
    return f"{agent}-log-{length}-seed-{seed}"
