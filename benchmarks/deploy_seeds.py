"""`recsim-env deploy --seeds N`: paired repetitions with other users, what each arm earns in each phase."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from benchmarks.choices import check_file
from benchmarks.deploy import Asked, arm_origin, check_asked
from benchmarks.deploy_simulator import serve_arm, strategies_on_arms
from benchmarks.progress import run_missing
from benchmarks.provenance import code_settings, hash_files, provenance
from benchmarks.statistics import Interval, paired_difference, seed_interval
from benchmarks.tasks import Task, TaskFolder, write_json
from recsim_env.config import WorldConfig
from recsim_env.deployment import PAPER, STRATEGIES


def deploy_seeds(
    asked: Asked,
    seeds: int,
    out: Path,
    jobs: int,
    overwrite: bool,
    json_path: Path | None,
    console: Console,
) -> dict[str, Any]:
    """Run what is missing, then report; see the command's help for the arguments. Returns the summary.

    Every arm is admitted at the start and no release goes up the ramp: the strategy alone decides.
    """
    check_file(json_path)
    scenario, world, arms = check_asked(asked)
    settings = {
        "command": "deploy --seeds",
        "scenario": scenario,
        "users": asked.users,
        "batch_size": asked.batch_size,
        "arms": {arm: arm_origin(arm) for arm in arms},
        **code_settings(),
        "deploy_code": hash_files([Path(__file__).with_name("deploy_simulator.py")]),
    }
    folder = TaskFolder(out, settings, overwrite)
    chosen = list(range(asked.seed, asked.seed + seeds))
    common = {"scenario": scenario, "num_users": asked.users}
    serving = [
        Task(
            f"serve-{place}-{seed}",
            serve_arm,
            {**common, "arm": arm, "seed": seed, "first": seed * asked.users},
        )
        for place, arm in enumerate(arms)
        for seed in chosen
    ]
    run_missing("deploy", serving, folder, jobs, console)
    phases = phases_of(world.config)
    by_phase = arms_by_phase(folder, arms, chosen, phases)
    strategies = list(STRATEGIES) if asked.strategy == "all" else [asked.strategy]
    deciding = [
        Task(
            f"decide-{strategy}-{chosen[0]}-{len(chosen)}",
            strategies_on_arms,
            {
                "folder": str(out / "tasks"),
                "arms": arms,
                "strategy": strategy,
                "seeds": chosen,
                "batch_size": asked.batch_size,
            },
        )
        for strategy in strategies
    ]
    run_missing("deploy", deciding, folder, jobs, console)
    found = {name: folder.result(task.name) for name, task in zip(strategies, deciding, strict=True)}
    summary = {
        "command": "deploy --seeds",
        "settings": settings,
        "seeds": chosen,
        "phases": phases,
        "arms": by_phase,
        "strategies": strategy_rows(found),
        "provenance": provenance(),
    }
    write_json(out / "seeds.json", summary)
    console.print(seeds_report(summary))
    console.print(f"Results and settings: {out}", style="bold", highlight=False, soft_wrap=True)
    if json_path is not None:
        write_json(json_path, summary)
    return summary


def phases_of(config: WorldConfig) -> list[list[float]]:
    """[start, stop] hours between which no declared change sets in, or ends where it is gradual.

    Recurring changes, which never rest, part nothing. One phase where there is no run.
    """
    edges = {0.0, config.run.run_hours}
    for change in config.drift:
        if change.kind != "recurring":
            edges |= {change.start}
        if change.kind == "gradual":
            edges |= {change.start + change.length}
    inside = sorted(hour for hour in edges if hour <= config.run.run_hours)
    return [[start, stop] for start, stop in pairwise(inside)] or [[0.0, 0.0]]


def arms_by_phase(
    folder: TaskFolder, arms: list[str], seeds: list[int], phases: list[list[float]]
) -> list[dict[str, Any]]:
    """A row for each arm and phase: mean reward of a user, and its paired difference to the control's."""
    rows: list[dict[str, Any]] = []
    control = np.zeros((len(phases), len(seeds)))
    for place, arm in enumerate(arms):
        means = np.zeros((len(phases), len(seeds)))
        for column, seed in enumerate(seeds):
            result = folder.result(f"serve-{place}-{seed}")
            reward = np.array(result["reward"])
            number = np.searchsorted([stop for _, stop in phases[:-1]], result["hour"], side="right")
            means[:, column] = [reward[number == phase].mean() for phase in range(len(phases))]
        control = means if place == 0 else control
        for phase, values in enumerate(means):
            generator = np.random.default_rng(0)
            rows.append(
                {
                    "arm": arm,
                    "phase": phase,
                    "reward": ends_of(seed_interval(values, generator)),
                    "over_control": ends_of(paired_difference(values, control[phase], generator)),
                }
            )
    return rows


def strategy_rows(found: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each strategy: means over seeds with intervals, least dynamic regret first.

    ``over_paper``: dynamic regret minus that of the best of the paper's six, seed by seed; None where those
    have not all run.
    """
    six = [name for name in PAPER if name in found]
    best = min(six, key=lambda name: np.mean(found[name]["regret"])) if len(six) == len(PAPER) else None
    rows = []
    for name, result in found.items():
        generator = np.random.default_rng(0)
        regret = np.array(result["regret"])
        against = None if best is None else np.array(found[best]["regret"])
        rows.append(
            {
                "strategy": name,
                "dynamic_regret": ends_of(seed_interval(regret, generator)),
                "over_paper": None
                if against is None
                else ends_of(paired_difference(regret, against, generator)),
                "fixed_regret": ends_of(seed_interval(np.array(result["fixed"]), generator)),
                "lost": float((regret / (np.array(result["reward"]) + regret)).mean()),
                "switches": float(np.mean(result["switches"])),
                "restarts": float(np.mean(result["detected"])),
            }
        )
    return sorted(rows, key=lambda row: row["dynamic_regret"][0])


def ends_of(interval: Interval) -> list[float]:
    """[mean, lower, upper]."""
    return [round(value, 4) for value in (interval.mean, interval.lower, interval.upper)]


def seeds_report(summary: Mapping[str, Any]) -> RenderableType:
    """The two tables: arms by phase, and strategies."""
    settings, phases = summary["settings"], summary["phases"]
    title = f"{settings['scenario']}: {len(summary['seeds'])} x {settings['users']:,} users, reward of a user"
    arms = _table(title)
    arms.add_column("arm", no_wrap=True)
    for start, stop in phases:
        arms.add_column(f"hours {start:g}-{stop:g}", justify="right")
    rows = summary["arms"]
    best = {
        phase: max(row["reward"][0] for row in rows if row["phase"] == phase) for phase in range(len(phases))
    }
    for first in range(0, len(rows), len(phases)):
        mine = rows[first : first + len(phases)]
        cells = [
            f"{'*' if row['reward'][0] == best[row['phase']] else ''}{row['reward'][0]:.2f} "
            f"({row['over_control'][0]:+.2f} [{row['over_control'][1]:.2f}, {row['over_control'][2]:.2f}])"
            for row in mine
        ]
        arms.add_row(mine[0]["arm"], *cells)
    strategies = _table(f"Batches of {settings['batch_size']}, all arms admitted at the start")
    strategies.add_column("strategy", no_wrap=True)
    for heading in ("dynamic regret", "over the paper's best", "to best single arm", "lost", "switches"):
        strategies.add_column(heading, justify="right")
    strategies.add_column("restarts", justify="right")
    for row in summary["strategies"]:
        strategies.add_row(
            row["strategy"],
            *(_cell(row[name]) for name in ("dynamic_regret", "over_paper", "fixed_regret")),
            f"{row['lost']:.1%}",
            f"{row['switches']:.1f}",
            f"{row['restarts']:.1f}",
        )
    notes = "In brackets: paired difference to the first arm, with 95% intervals; *: best of the phase."
    return Group(arms, Text(notes, style="dim"), strategies)


def _table(title: str) -> RichTable:
    return RichTable(
        title=title, title_justify="left", title_style="bold", header_style="bold", box=SIMPLE_HEAD
    )


def _cell(ends: list[float] | None) -> str:
    return "-" if ends is None else f"{ends[0]:,.0f} [{ends[1]:,.0f}, {ends[2]:,.0f}]"
