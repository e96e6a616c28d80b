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
from benchmarks.experiments.claims import Claim, judged
from benchmarks.progress import run_missing
from benchmarks.rows import lookup, over_seeds, row
from benchmarks.saving import run_settings, write_summary
from benchmarks.tasks import Task, TaskFolder, write_json
from recsim_env.config import WorldConfig
from recsim_env.deployment import PAPER, STRATEGIES

NAME = "deploy --seeds"
REGRET, OVER_PAPER, FIXED_REGRET = "dynamic_regret", "dynamic_regret_over_paper", "fixed_regret"
LOST, SWITCHES, RESTARTS = "lost_share", "switches", "restarts"
BOUNDS = {SWITCHES: (0.0, np.inf), RESTARTS: (0.0, np.inf)}


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
    settings = run_settings(
        NAME,
        [Path(__file__).with_name("deploy_simulator.py")],
        scenario=scenario,
        users=asked.users,
        batch_size=asked.batch_size,
        arms={arm: arm_origin(arm) for arm in arms},
    )
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
    phases = phases_of(world.config)
    arm_rows = arms_by_phase(folder, scenario, arms, chosen, phases)
    summary = write_summary(
        folder,
        seeds=chosen,
        phases=phases,
        findings=findings_of(scenario, found),
        rows=[*arm_rows, *strategy_rows(scenario, found)],
    )
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
    folder: TaskFolder, scenario: str, arms: list[str], seeds: list[int], phases: list[list[float]]
) -> list[dict[str, Any]]:
    """Two rows for each arm and phase: mean reward of a user, and its paired difference to the control's."""
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
        for hours, values, reference in zip(phases, means, control, strict=True):
            over = over_seeds(values - reference)
            rows.append(row(NAME, scenario, arm, reward_in(hours), over_seeds(values)))
            rows.append(row(NAME, scenario, arm, reward_in(hours, over_control=True), over))
    return rows


def reward_in(hours: list[float], over_control: bool = False) -> str:
    """Name of a metric: reward of a user who came between these hours, or its difference to the control's."""
    return f"reward{'_over_control' if over_control else ''}, hours {hours[0]:g}-{hours[1]:g}"


def papers_best(found: Mapping[str, Mapping[str, Any]]) -> str | None:
    """That of the paper's six with the least dynamic regret; None where those have not all run."""
    if any(name not in found for name in PAPER):
        return None
    return min(PAPER, key=lambda name: float(np.mean(found[name]["regret"])))


def strategy_rows(scenario: str, found: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Means over seeds of each strategy, that with the least dynamic regret first.

    ``dynamic_regret_over_paper``: minus that of the best of the paper's six, seed by seed, where those have
    all run. ``lost_share``: dynamic regret as a share of the reward of the best arm of every phase.
    """
    best = papers_best(found)
    rows: list[dict[str, Any]] = []
    for name in sorted(found, key=lambda name: float(np.mean(found[name]["regret"]))):
        result = {key: np.array(values, np.float64) for key, values in found[name].items()}
        regret = result["regret"]
        of_metric = {REGRET: regret, FIXED_REGRET: result["fixed"]}
        if best is not None:
            of_metric[OVER_PAPER] = regret - np.array(found[best]["regret"])
        of_metric |= {
            LOST: regret / (result["reward"] + regret),
            SWITCHES: result["switches"],
            RESTARTS: result["detected"],
        }
        rows += [
            row(NAME, scenario, name, metric, over_seeds(values), BOUNDS.get(metric))
            for metric, values in of_metric.items()
        ]
    return rows


def findings_of(scenario: str, found: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each strategy that is not of the paper against the best of those that are; p-values by Holm."""
    best = papers_best(found)
    if best is None:
        return []
    place, reference = scenario.removeprefix("recsim_env/"), np.array(found[best]["regret"])
    claims = [
        Claim(
            name,
            OVER_PAPER,
            f"{place}: dynamic regret of {name} {{verdict}} that of {best}, the best of the paper's six",
            np.array(result["regret"]),
            reference,
        )
        for name, result in found.items()
        if name not in PAPER
    ]
    _, findings = judged(NAME, scenario, claims, digits=0)
    return [finding._asdict() for finding in findings]


def seeds_report(summary: Mapping[str, Any]) -> RenderableType:
    """The two tables: arms by phase, and strategies."""
    settings, phases, found = summary["settings"], summary["phases"], lookup(summary["rows"])
    title = f"{settings['scenario']}: {len(summary['seeds'])} x {settings['users']:,} users, reward of a user"
    table = _table(title)
    table.add_column("arm", no_wrap=True)
    for start, stop in phases:
        table.add_column(f"hours {start:g}-{stop:g}", justify="right")
    arms = list(settings["arms"])
    best = [max(found[arm, reward_in(hours)]["value"] for arm in arms) for hours in phases]
    for arm in arms:
        cells = []
        for hours, most in zip(phases, best, strict=True):
            reward = found[arm, reward_in(hours)]["value"]
            over = _cell(found[arm, reward_in(hours, over_control=True)], "+.2f")
            cells.append(f"{'*' if reward == most else ''}{reward:.2f} ({over})")
        table.add_row(arm, *cells)
    strategies = _table(f"Batches of {settings['batch_size']}, all arms admitted at the start")
    strategies.add_column("strategy", no_wrap=True)
    for heading in ("dynamic regret", "over the paper's best", "to best single arm", "lost", "switches"):
        strategies.add_column(heading, justify="right")
    strategies.add_column("restarts", justify="right")
    for name in dict.fromkeys(agent for agent, metric in found if metric == REGRET):
        strategies.add_row(
            name,
            *(_cell(found.get((name, metric)), ",.0f") for metric in (REGRET, OVER_PAPER, FIXED_REGRET)),
            f"{found[name, LOST]['value']:.1%}",
            f"{found[name, SWITCHES]['value']:.1f}",
            f"{found[name, RESTARTS]['value']:.1f}",
        )
    notes = "In brackets: paired difference to the first arm, with 95% intervals; *: best of the phase."
    return Group(table, Text(notes, style="dim"), strategies)


def _table(title: str) -> RichTable:
    return RichTable(
        title=title, title_justify="left", title_style="bold", header_style="bold", box=SIMPLE_HEAD
    )


def _cell(found: Mapping[str, Any] | None, form: str) -> str:
    """A figure and its interval; a dash where there is none."""
    if found is None:
        return "-"
    if found["lower"] is None:
        return format(found["value"], form)
    ends = f"{found['lower']:{form.lstrip('+')}}, {found['upper']:{form.lstrip('+')}}"
    return f"{found['value']:{form}} [{ends}]"
