"""How fast, and in how much memory, a million users are evaluated: `python -m benchmarks.metrics_rate`.

Users are served by random items, so that nearly all the time beside the simulator's is that of the metrics.
Memory is the most that the process ever held, read at a tenth of the users and at the end: it must not grow
with their number.
"""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

import numpy as np
import typer

from benchmarks.provenance import provenance
from recsim_env import World, get_scenario, rollout
from recsim_env.metrics import FullScorecard, Scorecard

MEBIBYTE = 2**20 / (1 if sys.platform == "darwin" else 1024)
"""Units of `ru_maxrss` in one MiB: bytes on macOS, KiB elsewhere."""


def measure(scenario: str, num_users: int, full: bool, batch_size: int = 4_096) -> dict[str, Any]:
    """Serve and count users; rates per second of wall time, memory in MiB.

    Returns:
        {"scorecard", "users", "decisions", "users_per_second" (with the simulator),
        "decisions_per_second" (of the metrics alone), "mib_at_a_tenth", "mib_at_the_end"}.
    """
    from agents import RandomPolicy

    entry = get_scenario(scenario)
    world = World(entry.config)
    catalog, config = world.public_catalog, entry.config
    policy = RandomPolicy(config.catalog.num_items, config.slate_size, catalog)
    if full:
        card: Scorecard = FullScorecard(catalog, config.population.num_segments, with_regret=False)
    else:
        card = Scorecard(catalog.base_popularity)
    spent, early = 0.0, 0.0
    began = time.perf_counter()
    for batch in rollout(
        world,
        policy,
        world.users(num_users),
        seed=0,
        generator=np.random.default_rng(0),
        max_steps=entry.max_episode_steps,
        batch_size=batch_size,
    ):
        before = time.perf_counter()
        card.update(batch)
        spent += time.perf_counter() - before
        if not early and card.engagement.num_users >= num_users / 10:
            early = peak()
    decisions = card.engagement.num_decisions
    card.result()
    return {
        "scorecard": type(card).__name__,
        "users": card.engagement.num_users,
        "decisions": decisions,
        "users_per_second": round(num_users / (time.perf_counter() - began)),
        "decisions_per_second": round(decisions / spent),
        "mib_at_a_tenth": round(early),
        "mib_at_the_end": round(peak()),
    }


def peak() -> float:
    """The most memory that this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEBIBYTE


def main(users: int = 1_000_000, scenario: str = "Storefront-v0", full: bool = True) -> None:
    """Print one measurement and where it was taken."""
    row = measure(scenario, users, full)
    typer.echo("\n".join(f"{name}: {value}" for name, value in row.items()))
    typer.echo(f"commit {provenance()['commit']}, {provenance()['machine']}")


if __name__ == "__main__":
    typer.run(main)
