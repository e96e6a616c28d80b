"""`recsim-env deploy`: policies as arms, strategies that decide who serves, and what that earned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from benchmarks.choices import check_file, find_policy, find_scenario, ordered
from benchmarks.deploy_figures import draw_deployment
from benchmarks.deploy_simulator import RESPONSE_CAP, arm_curves, deploy_table, serve_arm, table_of
from benchmarks.errors import UsageError
from benchmarks.progress import run_missing
from benchmarks.provenance import code_settings, hash_files, provenance
from benchmarks.tasks import Task, TaskFolder, write_json
from recsim_env import World, get_scenario
from recsim_env.checked import nearest
from recsim_env.deployment import STRATEGIES, Settings
from recsim_env.event_log import replacing

BUILT_IN = ("logging", "popular", "softmax:temperature=0.5", "greedy")
"""The arms when none are given: what serves today, a bad release, a better one, a better one still."""
SETTINGS = Settings(control_share=0.05, floor=0.01, high=RESPONSE_CAP)


@dataclass(frozen=True)
class Asked:
    """What the command line asks for.

    Attributes:
        scenario, arms: as given; no arms for the built-in ones. strategy: a name, or "all".
        users, batch_size: how many users, and how many a batch. seed: of users, assignments and strategies.
        release_every: batches between releases; 0: all arms at the start.
        ramp: whether releases go up the ramp.
    """

    scenario: str
    arms: Sequence[str]
    strategy: str
    users: int
    batch_size: int
    seed: int
    release_every: int
    ramp: bool


def deploy(
    asked: Asked, out: Path, jobs: int, overwrite: bool, json_path: Path | None, console: Console
) -> dict[str, Any]:
    """Run what is missing, then report; see the command's help for the arguments. Returns the summary."""
    check_file(json_path)
    scenario, world, arms = check_asked(asked)
    settings = {
        "command": "deploy",
        "scenario": scenario,
        "users": asked.users,
        "seed": asked.seed,
        "arms": {arm: arm_origin(arm) for arm in arms},
        **code_settings(),
        "deploy_code": hash_files([Path(__file__).with_name("deploy_simulator.py")]),
    }
    folder = TaskFolder(out, settings, overwrite)
    common = {"scenario": scenario, "seed": asked.seed, "num_users": asked.users, "first": 0}
    tasks = [Task(f"arm-{place}", serve_arm, {**common, "arm": arm}) for place, arm in enumerate(arms)]
    run_missing("deploy", tasks, folder, jobs, console)
    results = [folder.result(task.name) for task in tasks]
    table = table_of(results)
    curves = arm_curves([table], asked.batch_size)
    estimates = {arm: result["estimate"] for arm, result in zip(arms, results, strict=True)}
    strategies = list(STRATEGIES) if asked.strategy == "all" else [asked.strategy]
    options = (curves, asked.batch_size, asked.seed, asked.release_every, asked.ramp, SETTINGS)
    rows = [deploy_table(table, estimates, strategy, *options) for strategy in strategies]
    for stale in out.glob("decisions_*"):
        stale.unlink()
    for row in rows:
        write_log(row, out)
    hours = table.hour[:: asked.batch_size][: len(curves)]
    summary = {
        "command": "deploy",
        "scenario": scenario,
        "arms": arms,
        "estimates": list(estimates.values()),
        "mean_reward": curves.mean(axis=0).round(4).tolist(),
        "arm_rewards": curves.round(4).tolist(),
        "hours": hours.round(2).tolist() if world.config.run.run_hours else None,
        "changes": declared_changes(world),
        "users": asked.users,
        "batch_size": asked.batch_size,
        "seed": asked.seed,
        "release_every": asked.release_every,
        "ramp": asked.ramp,
        "provenance": provenance(),
        "rows": [{key: value for key, value in row.items() if key not in ("log", "text")} for row in rows],
    }
    write_json(out / "summary.json", summary)
    console.print(deploy_report(summary))
    for picture in draw_deployment(summary, out):
        console.print(f"Figure: {picture}", style="bold", highlight=False, soft_wrap=True)
    console.print(f"Decision logs: {out}/decisions_*.txt", style="bold", highlight=False, soft_wrap=True)
    if json_path is not None:
        write_json(json_path, summary)
    return summary


def check_asked(asked: Asked) -> tuple[str, World, list[str]]:
    """The full id of the scenario, its world, and the arms.

    Raises:
        UsageError: something that was asked for does not exist, or is too little.
    """
    scenario = find_scenario(asked.scenario)
    world = World(get_scenario(scenario).config)
    arms = ordered(asked.arms or BUILT_IN)
    if len(arms) < 2:
        raise UsageError("--arms: expected at least two different arms, the first of them the control")
    if asked.strategy != "all" and asked.strategy not in STRATEGIES:
        raise UsageError(
            f"--strategy: unknown strategy {asked.strategy!r}; {nearest(asked.strategy, STRATEGIES)}"
        )
    if asked.users < 10 * asked.batch_size:
        raise UsageError(f"--users: expected at least 10 batches of {asked.batch_size}, got {asked.users}")
    for arm in arms:
        find_policy("--arms", arm, world)
    return scenario, world, arms


def arm_origin(arm: str) -> str:
    """What an arm's results depend on beside its name: the files of a saved agent."""
    from agents import ALIASES, POLICIES
    from agents.storage import agent_folder

    if arm.partition(":")[0] in (*POLICIES, *ALIASES):
        return ""
    return hash_files(sorted(path for path in agent_folder(arm).rglob("*") if path.is_file()))


def write_log(row: Mapping[str, Any], out: Path) -> None:
    """The decision log of one strategy, as JSON lines and as sentences."""
    for suffix, lines in (("jsonl", row["log"]), ("txt", row["text"])):
        with replacing(out / f"decisions_{row['strategy']}.{suffix}") as temporary:
            temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def declared_changes(world: World) -> list[dict[str, Any]]:
    """The changes that the world's config declares, for the figures alone."""
    return [
        {"kind": change.kind, "start": change.start, "length": change.length, "segment": change.segment}
        for change in world.config.drift
    ]


def deploy_report(summary: Mapping[str, Any]) -> RenderableType:
    """The table of strategies, best first, and what the arms earned."""
    arms, mean = summary["arms"], summary["mean_reward"]
    table = RichTable(
        title=f"{summary['scenario']}: {summary['users']:,} users, batches of {summary['batch_size']}, seed "
        f"{summary['seed']}",
        title_justify="left",
        title_style="bold",
        header_style="bold",
        box=SIMPLE_HEAD,
    )
    table.add_column("strategy", no_wrap=True)
    headings = ("reward", "lost", "dynamic regret", "regret", "on worst arm", "switches")
    for heading in (*headings, "restarts", "promoted", "rolled back", "alarms"):
        table.add_column(heading, justify="right", min_width=8)
    for row in sorted(summary["rows"], key=lambda row: -row["reward"]):
        table.add_row(
            row["strategy"],
            f"{row['reward']:.3f}",
            f"{row['lost']:.1%}",
            f"{row['dynamic'][-1]:,.0f}",
            f"{row['fixed'][-1]:,.0f}",
            f"{row['bad'][-1]:,.0f}",
            *(str(row[key]) for key in ("switches", "changes", "promotes", "rollbacks", "alarms")),
        )
    worst = arms[int(np.argmin(mean))]
    alone = ", ".join(f"{arm} {value:.3f}" for arm, value in zip(arms, mean, strict=True))
    notes = [
        f"Arms, first the control, with what each earns a user if it serves everyone: {alone}.",
        "Lost: share of what the best arm admitted by then would have earned from the same users. Dynamic "
        "regret: to the best arm of each time (its mean over a tenth of the run, so a noisy judge); regret: "
        "to the best over the whole run, of those admitted by then.",
        f"Reward: a user. On worst arm: users served by {worst}.",
    ]
    return Group(table, Text("\n".join(notes), style="dim"))
