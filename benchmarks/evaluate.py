"""`recsim-env evaluate`: a saved agent beside random items and the myopic oracle, on the same users."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.choices import check_file, find_scenario
from benchmarks.errors import UsageError
from benchmarks.experiment import HELD_OUT_SEED, held_out_rollout, untrained_policies
from benchmarks.headroom import relative_gain, user_interval
from benchmarks.progress import RunProgress
from benchmarks.saving import stamped
from benchmarks.style import display_name
from benchmarks.summary import CEILING, FLOOR
from benchmarks.tables import CATALOG_COLUMNS
from benchmarks.tasks import SETTINGS_FILE, write_json
from benchmarks.terminal import titled_table
from recsim_env import World, get_scenario
from recsim_env.metrics import FullScorecard

if TYPE_CHECKING:
    from recsim_env import Policy


def evaluate(
    folder: Path, scenario: str | None, users: int, seed: int, json_path: Path | None, console: Console
) -> dict[str, Any]:
    """Serve the users, print the tables; returns what ``--json`` writes.

    The users are number seed * users and following of stream seed `HELD_OUT_SEED`, as in `compare`: no
    training meets them.
    """
    check_file(json_path)
    chosen = get_scenario(find_scenario(scenario or scenario_of(folder)))
    world = World(chosen.config)
    policy = find_saved(folder, world)
    known = untrained_policies(world)
    name = getattr(policy, "name", type(policy).__name__)
    name += " (saved)" if name in (FLOOR, CEILING) else ""
    policies: dict[str, Policy] = {FLOOR: known[FLOOR](), name: policy, CEILING: known[CEILING]()}
    served = {}
    with RunProgress(console, "evaluate", len(policies), 0) as display:
        for label, one in policies.items():
            try:
                served[label] = serve(world, one, users, seed, chosen.max_episode_steps, label, display)
            except (ValueError, KeyError) as error:
                raise UsageError(f"{folder} cannot act in {chosen.name}: {error}") from error
    rows = [row_of(label, served) for label in served]
    summary = stamped(
        "evaluate",
        agent=name,
        folder=str(folder),
        scenario=chosen.name,
        users=users,
        seed=seed,
        stream_seed=HELD_OUT_SEED,
        rows=rows,
    )
    console.print(evaluation_tables(summary))
    if json_path is not None:
        write_json(json_path, summary)
    return summary


def scenario_of(folder: Path) -> str:
    """The scenario that a training's folder learned from.

    Raises:
        UsageError: it does not say.
    """
    try:
        settings = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
        return str(settings["data"]["scenario"])
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{folder} does not say in which scenario to evaluate: give --scenario") from error


def find_saved(folder: Path, world: World) -> Policy:
    """The agent of a training's folder, or of an agent's own.

    Raises:
        UsageError: there is none, or it was made for another catalog or world.
    """
    from agents import make_logging_policy
    from agents.storage import agent_folder

    try:
        return make_logging_policy(str(agent_folder(folder).resolve()), world).policy
    except (FileNotFoundError, ValueError) as error:
        raise UsageError(str(error).removeprefix("policy: ").removeprefix("folder: ")) from error


def serve(
    world: World, policy: Policy, num_users: int, seed: int, max_steps: int, label: str, display: RunProgress
) -> dict[str, Any]:
    """{"returns": [users] reward of each user, "metrics": the scorecard's}; the luck is the same for all."""
    users = world.users(num_users, seed * num_users)
    returns = np.zeros(num_users)
    segments = world.config.population.num_segments
    card = FullScorecard(world.public_catalog, segments, world.position_weight, with_regret=False)
    began = time.perf_counter()
    display.start(label)
    for batch in held_out_rollout(world, policy, users, seed, max_steps):
        returns[np.searchsorted(users, batch.user_id)] += batch.reward
        card.update(batch)
        display.update(label, card.engagement.num_users / num_users)
    display.finish(label, time.perf_counter() - began, None)
    return {"returns": returns, "metrics": card.result()}


def row_of(label: str, served: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One policy's row: reward per user, differences and share of the gap with intervals, and metrics."""
    returns, floor, ceiling = (served[name]["returns"] for name in (label, FLOOR, CEILING))
    row: dict[str, Any] = {"policy": label, "reward_per_user": user_interval(returns)}
    for other, reference in ((FLOOR, floor), (CEILING, ceiling)):
        row[f"minus_{other}"] = None if label == other else user_interval(returns - reference)
    row["gap_share"] = gap_interval(returns, floor, ceiling)
    return row | {"metrics": served[label]["metrics"]}


def gap_interval(returns: np.ndarray, floor: np.ndarray, ceiling: np.ndarray) -> dict[str, float] | None:
    """Share of the gap between two policies on the same users, with its 95 % interval over users.

    mean(returns - floor) / mean(ceiling - floor), by the delta method (`relative_gain`); None where the
    ceiling is not above the floor.
    """
    gap = ceiling - floor
    if gap.mean() <= 0:
        return None
    return {name: value + 1 for name, value in relative_gain(returns - floor, gap).items()}


def evaluation_tables(summary: Mapping[str, Any]) -> RenderableType:
    """Reward with intervals, exploration and exposure, and what a reader must know of them."""
    rows = summary["rows"]
    reward = _table(f"{display_name(summary['agent'])} on {summary['scenario']}")
    headings = ("reward per user", f"minus {FLOOR}", "minus myopic oracle", "gap closed", "session")
    for heading in headings:
        reward.add_column(heading, justify="right")
    catalog = _table("Exploration and exposure")
    for column in CATALOG_COLUMNS:
        catalog.add_column(column.heading, justify="right")
    for row in rows:
        reward.add_row(
            display_name(row["policy"]),
            _interval(row["reward_per_user"], "{:,.2f}"),
            _interval(row[f"minus_{FLOOR}"], "{:+.2f}"),
            _interval(row[f"minus_{CEILING}"], "{:+.2f}"),
            _interval(row["gap_share"], "{:.0%}"),
            f"{row['metrics']['session_length']:.1f}",
        )
        catalog.add_row(display_name(row["policy"]), *_catalog_cells(row["metrics"]))
    note = (
        f"{summary['users']:,} held-out users whom no training meets (seed {summary['seed']}), the same with "
        "the same luck for every policy.\nIn brackets: 95 % intervals over users of this one agent; they do "
        "not say how much another training seed would differ.\nDifferences and the gap (random is 0 %, the "
        "myopic oracle 100 %) are paired by user."
    )
    return Group(reward, catalog, Text(note, style="dim"))


def _catalog_cells(metrics: Mapping[str, Any]) -> Sequence[str]:
    values = [(column, metrics.get(column.metric)) for column in CATALOG_COLUMNS]
    return ["-" if value is None else column.write(value) + column.unit for column, value in values]


def _table(title: str) -> Table:
    table = titled_table(title)
    table.add_column("policy")
    return table


def _interval(interval: Mapping[str, float] | None, form: str) -> str:
    if interval is None:
        return "-"
    mean, lower, upper = (form.format(interval[name]) for name in ("mean", "lower", "upper"))
    return f"{mean} [{lower}, {upper}]"
