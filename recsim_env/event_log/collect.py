"""Run a policy on a world's users and keep what was logged, block of users by block of users."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from recsim_env.event_log.columns import COLUMNS, OBSERVATION_KEYS, OPTIONAL_COLUMNS, as_column
from recsim_env.event_log.log import EventLog
from recsim_env.event_log.provenance import source_commit
from recsim_env.policy import Policy
from recsim_env.rollout import Impressions, rollout
from recsim_env.scenarios import SCENARIOS
from recsim_env.streams import STREAM_VERSION
from recsim_env.world import World

BLOCK_USERS = 4_096
"""Users served side by side; each block has its own generator, so a longer log begins with a shorter one."""

OUTCOMES = [name for name in COLUMNS if name not in OBSERVATION_KEYS]


def collect_log(
    world: World | str,
    policy: Policy,
    num_decisions: int,
    seed: int,
    *,
    max_steps: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> EventLog:
    """Log whole sessions of users 0, 1, 2, ... until at least `num_decisions` decisions are logged.

    In worlds with a run these are the first to arrive: what comes late in the run is not in the log.
    `simulate` spreads its users over the run, and logs any part of it.

    Args:
        world: a world, or the name or id of a registered scenario.
        policy: the logging policy, which states its propensities.
        num_decisions: least number of rows; the last user's session is kept whole.
        seed: of the users' luck; the policy draws from generators seeded with (seed, block of users).
        max_steps: horizon of a session; that of the scenario by default.
        progress: called as progress(rows so far, num_decisions).

    Returns:
        The log. With the same seed, a shorter log is a prefix of a longer one.

    Raises:
        ValueError: a world was given without `max_steps`, or `num_decisions` is not positive.
    """
    if num_decisions < 1:
        raise ValueError(f"num_decisions: expected at least 1, got {num_decisions}")
    world, max_steps, scenario = find_world(world, max_steps)
    parts: list[dict[str, np.ndarray]] = []
    num_rows = block = 0

    def count(rows: int) -> None:
        nonlocal num_rows
        num_rows += rows
        if progress is not None:
            progress(min(num_rows, num_decisions), num_decisions)

    while num_rows < num_decisions:
        users = np.arange(block * BLOCK_USERS, (block + 1) * BLOCK_USERS)
        parts.append(serve_block(world, policy, seed, block, users, max_steps, progress=count))
        block += 1
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    log = EventLog.from_columns(joined, policy.name, provenance_of(world, scenario, max_steps, seed))
    return log.first_users(num_decisions)


def find_world(world: World | str, max_steps: int | None) -> tuple[World, int, str | None]:
    """A world, its horizon and its id; from the world itself, or from the name or id of a scenario.

    Raises:
        ValueError: a world was given without `max_steps`.
    """
    scenario = None
    if isinstance(world, str):
        scenario = SCENARIOS[world].id if world in SCENARIOS else world
        env = gymnasium.make_vec(scenario, num_envs=1)
        max_steps = gymnasium.spec(scenario).max_episode_steps if max_steps is None else max_steps
        world = env.unwrapped.world  # type: ignore[attr-defined]
        assert isinstance(world, World)
        env.close()
    if max_steps is None:
        raise ValueError("max_steps: needed with a world; only a scenario id has a horizon of its own")
    return world, max_steps, scenario


def provenance_of(world: World, scenario: str | None, max_steps: int, seed: int) -> dict[str, Any]:
    """Where a log of this world comes from; `replay` needs no more."""
    return {
        "scenario": scenario,
        "config": world.config.to_json(),
        "user_model": world.user_model.sources,
        "max_steps": max_steps,
        "seed": seed,
        "stream_version": STREAM_VERSION,
        "commit": source_commit(),
    }


def serve_block(
    world: World,
    policy: Policy,
    seed: int,
    block: int,
    users: NDArray[np.int64],
    max_steps: int,
    *,
    progress: Callable[[int], None] | None = None,
) -> dict[str, np.ndarray]:
    """The sorted columns of the users of one block.

    Args:
        world: the simulator.
        policy: the logging policy; it draws from a generator seeded with (seed, block).
        seed: of the users' luck.
        block: which block.
        users: [n] their ids.
        max_steps: horizon of a session.
        progress: called with the number of rows of every step of the batch.
    """
    generator = np.random.default_rng([seed, block])
    batches = []
    for batch in rollout(
        world, policy, users, seed=seed, generator=generator, max_steps=max_steps, batch_size=BLOCK_USERS
    ):
        batches.append(columns_of(batch))
        if progress is not None:
            progress(len(batch))
    return _sorted(batches)


def sorted_columns(batches: Iterable[Impressions]) -> dict[str, np.ndarray]:
    """The columns of an event log with every row of these impressions, for `EventLog.from_columns`."""
    return _sorted([columns_of(batch) for batch in batches])


def columns_of(batch: Impressions) -> dict[str, np.ndarray]:
    """The log's columns of one batch in their compact dtypes, further observations under their keys."""
    seen: Mapping[str, Any] = batch.observation
    columns = {name: getattr(batch, name) for name in OUTCOMES}
    columns |= {name: seen[name] for name in OBSERVATION_KEYS}
    columns["session_step"] = columns["session_step"][:, 0]
    for name in OPTIONAL_COLUMNS:
        found = getattr(batch, name, None)
        if found is not None:
            columns[name] = found
    columns |= {key: value for key, value in seen.items() if key not in columns and value is not None}
    # The simulator's own values fit: no look for the largest in every batch.
    core = {name: columns.pop(name).astype(dtype, copy=False) for name, (dtype, _) in COLUMNS.items()}
    return core | {name: as_column(name, column) for name, column in columns.items()}


def _sorted(batches: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """One user after the other; the rows of a user come in the order of visits and steps already."""
    columns = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    user, visit = columns["user_id"], columns["visit"]
    offset = user - user.min()
    narrow = offset.astype(np.uint16) if offset.max() < 2**16 else offset  # 16 bits: NumPy takes a radix sort
    if visit.min() == visit.max():
        order = np.argsort(narrow, kind="stable")
    else:
        order = np.lexsort((columns["step"], visit, user))
    return {name: np.take(column, order, axis=0) for name, column in columns.items()}
