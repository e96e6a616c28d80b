"""`recsim-env headroom`: how far above the myopic oracle a policy that looks ahead gets, by scenario."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.text import Text
from scipy import stats

from benchmarks.choices import check_file, find_scenario, one_size, ordered
from benchmarks.engines import Engine
from benchmarks.errors import UsageError
from benchmarks.experiment import SCORING_DRAWS
from benchmarks.progress import run_missing
from benchmarks.saving import run_settings, write_summary
from benchmarks.style import display_name
from benchmarks.tasks import Report, Task, TaskFolder, write_json
from benchmarks.terminal import titled_table
from recsim_env import SCENARIOS, World, get_scenario, rollout

if TYPE_CHECKING:
    from recsim_env import Policy

POLICIES = ("random", "popular", "myopic", "planning", "optimal")
"""In the order of the table; `optimal` only where a scenario's optimum is known."""
REFERENCE, BEST = "myopic", "planning"
CONFIDENCE = 0.95


def headroom(
    *,
    scenarios: str | None,
    users: str,
    seed: int,
    out: Path,
    jobs: int | Engine,
    overwrite: bool,
    json_path: Path | None,
    console: Console,
) -> dict[str, Any]:
    """Run what is missing, then report; see the command's help for the arguments. Returns the summary."""
    from agents import PlanningConfig

    check_file(json_path)
    names = find_scenarios(scenarios)
    counts = find_users(users, names)
    settings = run_settings("headroom", users=counts, seed=seed, planning=asdict(PlanningConfig()))
    folder = TaskFolder(out, settings, overwrite)
    tasks = [
        Task(
            task_name(scenario, policy),
            serve_policy,
            {"scenario": scenario, "policy": policy, "num_users": counts[scenario], "seed": seed},
        )
        for scenario in names
        for policy in reversed(policies_of(scenario))  # the longest first
    ]
    run_missing("headroom", tasks, folder, jobs, console)
    summary = report(folder, names)
    console.print(headroom_table(summary))
    console.print(f"Results and settings: {out}", style="bold")
    if json_path is not None:
        write_json(json_path, summary)
    return summary


def find_scenarios(names: str | None) -> list[str]:
    """Full ids of comma-separated scenarios, all of them by default."""
    asked = list(SCENARIOS) if names is None else [part.strip() for part in names.split(",") if part.strip()]
    if not asked:
        raise UsageError(f"--scenario: expected at least one of {', '.join(SCENARIOS)}")
    return ordered([find_scenario(name) for name in asked])


def find_users(text: str, scenarios: Sequence[str]) -> dict[str, int]:
    """How many users each scenario gets: '400' for all, '400,Storefront-v0=2000' with an exception."""
    everywhere, *exceptions = [part.strip() for part in text.split(",")]
    counts = dict.fromkeys(scenarios, one_size("--users", everywhere, least=2))
    for part in exceptions:
        name, given, number = part.partition("=")
        if not given:
            raise UsageError(f"--users: expected ID=N behind the first number, got {part!r}")
        scenario = find_scenario(name.strip())
        if scenario in counts:
            counts[scenario] = one_size("--users", number, least=2)
    return counts


def policies_of(scenario: str) -> list[str]:
    """The policies that the table has for a scenario."""
    from agents import OPTIMAL

    known = get_scenario(scenario).name in OPTIMAL
    return [name for name in POLICIES if name != "optimal" or known]


def make_policy(name: str, scenario: str, world: World) -> Policy:
    """One of `POLICIES`, ready to act in the scenario's world."""
    from agents import OPTIMAL, MyopicOracle, PlanningOracle, Popular, RandomPolicy

    entry = get_scenario(scenario)
    catalog, slate_size = world.public_catalog, world.config.slate_size
    makers: dict[str, Callable[[], Any]] = {
        "random": lambda: RandomPolicy(len(catalog.topic), slate_size, catalog),
        "popular": lambda: Popular(catalog, slate_size),
        "myopic": lambda: MyopicOracle(world),
        "planning": lambda: PlanningOracle(world, entry.max_episode_steps),
        "optimal": lambda: OPTIMAL[entry.name](world),
    }
    policy: Policy = makers[name]()
    return policy


def serve_policy(scenario: str, policy: str, num_users: int, seed: int, report: Report) -> dict[str, Any]:
    """Serve `num_users` users of stream seed `seed` (`World.users`), the same luck for every policy.

    Returns:
        {"returns": reward of each user, "lengths": decisions of each user, "seconds": wall time}.
    """
    began = time.perf_counter()
    entry = get_scenario(scenario)
    world = World(entry.config)
    users = world.users(num_users)
    returns, lengths, finished = np.zeros(num_users), np.zeros(num_users, np.int64), 0
    for batch in rollout(
        world,
        make_policy(policy, scenario, world),
        users,
        seed=seed,
        generator=np.random.default_rng([seed, SCORING_DRAWS]),
        max_steps=entry.max_episode_steps,
    ):
        place = np.searchsorted(users, batch.user_id)
        returns[place] += batch.reward
        lengths[place] += 1
        finished += int((batch.terminated | batch.truncated).sum())
        report(finished / num_users)
    seconds = round(time.perf_counter() - began, 2)
    return {"returns": returns.tolist(), "lengths": lengths.tolist(), "seconds": seconds}


def report(folder: TaskFolder, scenarios: Sequence[str]) -> dict[str, Any]:
    """Write `summary.json` from saved results, and return it.

    Its `rows` have scenario, policy, mean, lower, upper (reward per user), `minus_myopic` with the same
    three, length (mean decisions per user), users and seconds; its `headroom` has scenario, mean, lower,
    upper of planning / myopic - 1.
    """
    rows, gains = [], []
    for scenario in scenarios:
        name = get_scenario(scenario).name
        results = {policy: folder.result(task_name(scenario, policy)) for policy in policies_of(scenario)}
        returns = {policy: np.array(result["returns"]) for policy, result in results.items()}
        for policy, result in results.items():
            rows.append(
                {
                    "scenario": name,
                    "policy": policy,
                    **user_interval(returns[policy]),
                    "minus_myopic": user_interval(returns[policy] - returns[REFERENCE]),
                    "length": float(np.mean(result["lengths"])),
                    "users": len(result["returns"]),
                    "seconds": result["seconds"],
                }
            )
        gains.append({"scenario": name, **relative_gain(returns[BEST], returns[REFERENCE])})
    return write_summary(folder, rows=rows, headroom=gains)


def user_interval(values: np.ndarray) -> dict[str, float]:
    """Mean over users with its 95 % interval: {"mean", "lower", "upper"}.

    Student's t. None of these policies learns, so users are independent of each other and are the unit.

    Args:
        values: [n] float64, n >= 2.
    """
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(values) - 1) * stats.sem(values))
    mean = float(np.mean(values))
    return {"mean": mean, "lower": mean - half, "upper": mean + half}


def relative_gain(values: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """mean(values) / mean(reference) - 1 with its 95 % interval, both [n] of the same users.

    Source: the delta method for a ratio of paired means, Cochran (1977), Sampling techniques, section 6.4.
    """
    scale = float(np.mean(reference))
    ratio = float(np.mean(values)) / scale
    spread = user_interval((values - ratio * reference) / scale)
    return {"mean": ratio - 1, "lower": ratio - 1 + spread["lower"], "upper": ratio - 1 + spread["upper"]}


def headroom_table(summary: Mapping[str, Any]) -> RenderableType:
    """Reward per user and paired difference to the myopic oracle, with intervals."""
    table = titled_table("Headroom")
    table.add_column("scenario")
    table.add_column("policy")
    for heading in ("reward per user", "minus myopic oracle", "relative", "decisions", "users"):
        table.add_column(heading, justify="right", no_wrap=True)
    gains = {row["scenario"]: row for row in summary["headroom"]}
    shown = None
    for row in summary["rows"]:
        name = row["scenario"]
        if shown not in (None, name):
            table.add_section()
        reference = row["policy"] == REFERENCE
        table.add_row(
            "" if shown == name else name,
            display_name(row["policy"]),
            _number(row, "{:,.2f}"),
            "" if reference else _number(row["minus_myopic"], "{:+.2f}"),
            _number(gains[name], "{:+.1%}") if row["policy"] == BEST else "",
            f"{row['length']:.1f}",
            "" if shown == name else f"{row['users']:,}",
        )
        shown = name
    settings = summary["settings"]
    note = (
        f"Users of stream seed {settings['seed']}; in a scenario all policies meet the same users "
        "with the same luck. In brackets: 95 % intervals over users. Differences are paired by user.\n"
        "Relative: planning / myopic - 1, the headroom that a policy which looks ahead has at least."
    )
    return Group(table, Text(note, style="dim"))


def _number(values: Mapping[str, float], pattern: str) -> str:
    mean, lower, upper = (pattern.format(values[key]) for key in ("mean", "lower", "upper"))
    return f"{mean} [{lower}, {upper}]"


def task_name(scenario: str, policy: str) -> str:
    """File stem of a result."""
    return f"{get_scenario(scenario).name}-{policy}"
