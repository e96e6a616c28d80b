"""`recsim-env deploy --study`: error rates, power and regret of deployment strategies, in known worlds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from benchmarks.choices import check_file
from benchmarks.deploy_errors import CASES, releases
from benchmarks.deploy_regret import regret
from benchmarks.deploy_report import study_found, study_table
from benchmarks.deploy_simulator import serve_arm, strategies_on_arms
from benchmarks.deploy_study_figures import draw_study
from benchmarks.deploy_users import DESIGNS, picked
from benchmarks.deploy_worlds import SEGMENTED_WORLD, WORLDS
from benchmarks.progress import run_missing
from benchmarks.saving import run_settings, write_summary
from benchmarks.tasks import Task, TaskFolder, write_json
from recsim_env.deployment import STRATEGIES

SCENARIO = "Drift-v0"
ARMS = ("softmax:temperature=0.5", "greedy", "logging", "popular")
"""Of the simulator's rows, the control first."""


class Preset(NamedTuple):
    """How much is run.

    Attributes:
        null_runs: of A/A and the common shock; power_runs: of every bad or good release; parts: tasks that
            the former are cut into.
        release_batches: horizon of the runs above.
        seeds: paired, of regret; regret_batches: their horizon.
        user_seeds, user_batches: of carry-over and delayed feedback.
        simulator_seeds, simulator_users, simulator_batch: of Drift-v0.
    """

    null_runs: int
    power_runs: int
    parts: int
    release_batches: int
    seeds: int
    regret_batches: int
    user_seeds: int
    user_batches: int
    simulator_seeds: int
    simulator_users: int
    simulator_batch: int


PRESETS = {
    "full": Preset(1_000, 1_000, 2, 300, 30, 320, 30, 110, 30, 1_000, 10),
    "quick": Preset(60, 30, 1, 60, 3, 80, 3, 90, 2, 200, 10),
}


def study(
    *,
    preset: str,
    seed: int,
    out: Path,
    jobs: int,
    overwrite: bool,
    json_path: Path | None,
    console: Console,
) -> dict[str, Any]:
    """Run what is missing, then report; see the command's help for the arguments. Returns the summary."""
    check_file(json_path)
    size = PRESETS[preset]
    code = sorted(Path(__file__).parent.glob("deploy_*.py"))
    no_part_of_the_runs = {
        "deploy_report.py",
        "deploy_figures.py",
        "deploy_study_figures.py",
        "deploy_command.py",
        "deploy_seeds.py",
    }
    settings = run_settings(
        "deploy --study",
        [path for path in code if path.name not in no_part_of_the_runs],
        preset=size._asdict(),
        seed=seed,
    )
    folder = TaskFolder(out, settings, overwrite)
    for stage in stages(size, seed, out):
        run_missing("deploy", stage, folder, jobs, console)
    summary = write_summary(folder, **study_found(folder, size))
    console.print(study_table(summary))
    for picture in draw_study(folder, summary, out):
        console.print(f"Figure: {picture}", style="bold", highlight=False, soft_wrap=True)
    console.print(f"Results and settings: {out}", style="bold", highlight=False, soft_wrap=True)
    if json_path is not None:
        write_json(json_path, summary)
    return summary


def stages(size: Preset, seed: int, out: Path) -> list[list[Task]]:
    """The tasks, in stages: those of one may read what an earlier one made."""
    seeds = list(range(seed, seed + size.seeds))
    small = list(range(seed, seed + size.user_seeds))
    errors = []
    for case in CASES:
        null = case in ("A/A", "common shock")
        parts = size.parts if null else 1
        runs = size.null_runs // parts if null else size.power_runs
        for part in range(parts):
            arguments = {
                "case": case,
                "part": part,
                "runs": runs,
                "batches": size.release_batches,
                "seed": seed,
            }
            errors.append(Task(f"release-{slug(case)}-{part}", releases, arguments))
    regrets = [
        Task(
            f"regret-{slug(world)}-{strategy}",
            regret,
            {"world": world, "strategy": strategy, "seeds": seeds, "batches": size.regret_batches},
        )
        for world in WORLDS
        for strategy in strategies_of(world)
    ]
    users = [
        Task(
            f"users-{slug(scenario)}-{place}",
            picked,
            {"scenario": scenario, "design": design, "seeds": small, "batches": size.user_batches},
        )
        for scenario, designs in DESIGNS.items()
        for place, design in enumerate(designs)
    ]
    serving = [
        Task(
            f"serve-{place}-{one}",
            serve_arm,
            {
                "scenario": SCENARIO,
                "arm": arm,
                "seed": one,
                "num_users": size.simulator_users,
                "first": one * size.simulator_users,
            },
        )
        for place, arm in enumerate(ARMS)
        for one in range(seed, seed + size.simulator_seeds)
    ]
    deciding = [
        Task(
            f"drift-{strategy}",
            strategies_on_arms,
            {
                "folder": str(out / "tasks"),
                "arms": list(ARMS),
                "strategy": strategy,
                "seeds": list(range(seed, seed + size.simulator_seeds)),
                "batch_size": size.simulator_batch,
            },
        )
        for strategy in STRATEGIES
    ]
    return [errors + regrets + users, serving, deciding]


def strategies_of(world: str) -> list[str]:
    """All; without those that tell segments apart where there is one, and they would be others again."""
    return [name for name in STRATEGIES if world == SEGMENTED_WORLD or not name.startswith("segment")]


def slug(name: str) -> str:
    """A name as part of a file's name."""
    return name.replace("/", "").replace(" ", "-").replace(".", "_")
