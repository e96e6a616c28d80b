"""`recsim-env compare`: all agents on the same held-out users; run, then report from the saved results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.choices import check_file, find_agents, find_scenario
from benchmarks.engines import Engine
from benchmarks.experiment import HELD_OUT_SEED, Experiment, score_agent
from benchmarks.experiments.costs import cost_line, learning_seconds
from benchmarks.figures import draw_figures
from benchmarks.progress import run_missing
from benchmarks.saving import run_settings, write_csv, write_rows, write_summary
from benchmarks.summary import NAME, REFERENCES, seed_rows, summary_curves, summary_rows
from benchmarks.tables import WIDE, comparison_tables
from benchmarks.tasks import Task, TaskFolder
from recsim_env import get_scenario
from recsim_env.config import WorldConfig
from recsim_env.event_log import replacing


@dataclass(frozen=True)
class Preset:
    """How long a comparison is; see `Experiment` for the fields."""

    num_seeds: int
    log_decisions: int
    online_decisions: int
    online_users: int
    eval_users: int


PRESETS = {
    "quick": Preset(3, 100_000, 100_000, 64, 2_000),
    "full": Preset(10, 200_000, 1_000_000, 64, 10_000),
}


def compare(
    *,
    scenario: str,
    agents: str | None,
    num_seeds: int | None,
    first_seed: int,
    preset: str,
    out: Path,
    jobs: int | Engine,
    overwrite: bool,
    json_path: Path | None,
    console: Console,
) -> dict[str, Any]:
    """Run what is missing, then report; see the command's help for the arguments. Returns the summary."""
    check_file(json_path)
    size = PRESETS[preset]
    seeds = list(range(first_seed, first_seed + (num_seeds or size.num_seeds)))
    experiment = Experiment(
        find_scenario(scenario), size.log_decisions, size.online_decisions, size.online_users, size.eval_users
    )
    config = get_scenario(experiment.scenario).config
    names = find_agents(agents, config)
    folder = TaskFolder(out, comparison_settings(NAME, experiment, config, preset=preset), overwrite)
    tasks = [
        Task(task_name(name, seed), score_agent, {"experiment": experiment, "agent": name, "seed": seed})
        for name in sorted(names, key=REFERENCES.__contains__)
        for seed in seeds
    ]
    waiting = sum(not folder.has(task.name) for task in tasks)
    if preset == "full" and waiting:
        cost = waiting / len(tasks) * core_seconds(names, size, len(seeds))
        console.print(cost_line(waiting, cost, jobs), style="bold")
    run_missing(NAME, tasks, folder, jobs, console)
    summary = report(folder, names, seeds)
    console.print(comparison_tables(summary, console.width))
    console.print(f"Tables, figures and settings: {out}", style="bold")
    if json_path is not None:
        write_rows(json_path, NAME, summary["rows"])
    return summary


def core_seconds(agents: Sequence[str], size: Preset, num_seeds: int) -> float:
    """About how long one core takes."""
    from agents.registry import ONLINE

    live = [agent for agent in agents if agent.partition(":")[0] in ONLINE]
    logged = [agent for agent in agents if agent not in live]
    return num_seeds * (
        learning_seconds(live, size.online_decisions, size.eval_users)
        + learning_seconds(logged, size.log_decisions, size.eval_users)
    )


def report(folder: TaskFolder, agents: Sequence[str], seeds: Sequence[int]) -> dict[str, Any]:
    """Write `per_seed.csv`, `summary.json`, `tables.txt` and the figures from saved results."""
    scores = {agent: [folder.result(task_name(agent, seed)) for seed in seeds] for agent in agents}
    write_csv(folder.folder / "per_seed.csv", seed_rows(scores, seeds))
    saved = write_summary(
        folder,
        agents=list(agents),
        seeds=list(seeds),
        rows=summary_rows(scores, folder.settings["scenario"]),
        curves=summary_curves(scores),
    )
    draw_figures(saved, folder.folder)
    with replacing(folder.folder / "tables.txt") as temporary, open(temporary, "w", encoding="utf-8") as file:
        Console(file=file, width=WIDE).print(comparison_tables(saved))
    return saved


def comparison_settings(
    command: str, experiment: Experiment, config: WorldConfig, **more: Any
) -> dict[str, Any]:
    """All that results depend on, except which agents and seeds are run."""
    return run_settings(
        command,
        **more,
        **asdict(experiment),
        num_items=config.catalog.num_items,
        held_out_seed=HELD_OUT_SEED,
        world=json.loads(config.to_json()),
    )


def task_name(agent: str, seed: int) -> str:
    """File stem of a result."""
    return f"{agent}-seed-{seed}"
