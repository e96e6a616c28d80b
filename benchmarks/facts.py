"""`recsim-env facts`: what one would measure on a scenario's log, beside the same figures of a real one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.choices import check_file, find_policy, find_scenario, ordered
from benchmarks.errors import UsageError
from benchmarks.facts_table import fact_tables
from benchmarks.progress import RunProgress
from benchmarks.saving import write_rows
from benchmarks.taobao import read_taobao, taobao_facts
from benchmarks.tasks import Report
from recsim_env import Policy, World, get_scenario, rollout
from recsim_env.metrics import Fact, FactSheet


def facts(
    *,
    scenarios: Sequence[str],
    policy: str,
    num_users: int,
    seed: int,
    popularity_clicks: int,
    data: Path | None,
    json_path: Path | None,
    console: Console,
) -> list[dict[str, Any]]:
    """Measure every scenario and the real log, print tables; see the command's help. Returns the rows."""
    if not scenarios and data is None:
        raise UsageError("facts: give at least one scenario, such as Storefront-v0, or a log with --data")
    check_file(json_path)
    names = ordered([get_scenario(find_scenario(name)).name for name in scenarios])
    configs = {name: get_scenario(name).config for name in names}
    policies = {name: find_policy("--policy", policy, World(configs[name]), hidden=True) for name in names}
    log = None if data is None else read_taobao(data)
    measured = {"popularity_clicks": popularity_clicks}
    rows: list[dict[str, Any]] = []
    with RunProgress(console, "facts", len(names), 0) as display:
        for name in names:
            display.start(name)
            began = time.perf_counter()

            def report(fraction: float, name: str = name) -> None:
                display.update(name, fraction)

            origin = {"log": name, "policy": policy, "users": num_users, "seed": seed, **measured}
            found = simulated_facts(name, policies[name], num_users, seed, popularity_clicks, report)
            rows += _rows(origin, found)
            rows += _examination(origin)
            display.finish(name, time.perf_counter() - began, None)
    if data is not None and log is not None:
        users = len(np.unique(log.user))
        origin = {"log": data.name, "policy": None, "users": users, "seed": None, **measured}
        rows += _rows(origin, taobao_facts(log, popularity_clicks))
        malformed = Fact(log.num_malformed, log.num_malformed + len(log.user))
        rows.append({**origin, "fact": "malformed_rows", **malformed._asdict()})
    console.print(fact_tables(rows))
    if json_path is not None:
        write_rows(json_path, "facts", rows)
    return rows


def simulated_facts(
    name: str, policy: Policy, num_users: int, seed: int, popularity_clicks: int, report: Report
) -> FactSheet:
    """The facts of users 0 to `num_users` - 1 of a scenario, served by a policy that learns nothing.

    Args:
        name: of the scenario.
        policy: who serves them.
        num_users: one episode each.
        seed: of the users' luck, and of the policy's own draws.
        popularity_clicks: see `FactSheet`.
        report: called with the fraction done.
    """
    scenario = get_scenario(name)
    world = World(scenario.config)
    sheet = FactSheet(popularity_clicks)
    served = rollout(
        world,
        policy,
        world.users(num_users),
        seed=seed,
        generator=np.random.default_rng(seed),
        max_steps=scenario.max_episode_steps,
    )
    num_ended = 0
    for batch in served:
        sheet.update(batch, world.public_catalog.topic)
        num_ended += int(np.count_nonzero(batch.terminated | batch.truncated))
        report(num_ended / num_users)
    return sheet


def _rows(origin: Mapping[str, Any], sheet: FactSheet) -> list[dict[str, Any]]:
    """Facts as machine-readable rows, and the click rate at each position over that at position 0."""
    rows = [{**origin, "fact": name, **fact._asdict()} for name, fact in sheet.result().items()]
    rates = sheet.positions.relative_rates()
    for k in range(1, len(rates)):
        if np.isfinite(rates[k]):
            rate = Fact(float(rates[k]), int(sheet.positions.shown[k]))
            rows.append({**origin, "fact": f"click_rate_at_{k}", **rate._asdict()})
    return rows


def _examination(origin: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the config says of examination, to stand beside the measured click rates."""
    config = get_scenario(origin["log"]).config
    if config.slate_size == 1:
        return []
    gamma = config.choice.position_exponent
    known = {"examination_exponent": gamma} | {
        f"examination_at_{k}": (k + 1) ** -gamma for k in range(1, config.slate_size)
    }
    return [{**origin, "fact": name, **Fact(value, 0)._asdict()} for name, value in known.items()]
