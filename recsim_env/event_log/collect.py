"""Run a policy on a world's users and keep what was logged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import gymnasium
import numpy as np

from recsim_env.event_log.log import COLUMNS, OBSERVATION_KEYS, EventLog
from recsim_env.event_log.provenance import source_commit
from recsim_env.policy import Policy
from recsim_env.rollout import Impressions, rollout
from recsim_env.streams import STREAM_VERSION
from recsim_env.world import World

BLOCK_USERS = 4_096
"""Users served side by side; each block has its own generator, so a longer log begins with a shorter one."""


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

    Args:
        world: a world, or the id of a registered scenario.
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
    scenario = world if isinstance(world, str) else None
    if isinstance(world, str):
        env = gymnasium.make_vec(world, num_envs=1)
        max_steps = gymnasium.spec(world).max_episode_steps if max_steps is None else max_steps
        world = env.unwrapped.world  # type: ignore[attr-defined]
        assert isinstance(world, World)
        env.close()
    if max_steps is None:
        raise ValueError("max_steps: needed with a world; only a scenario id has a horizon of its own")
    parts: list[dict[str, np.ndarray]] = []
    num_rows = block = 0
    while num_rows < num_decisions:
        users = np.arange(block * BLOCK_USERS, (block + 1) * BLOCK_USERS)
        generator = np.random.default_rng([seed, block])
        batches = []
        for batch in rollout(
            world, policy, users, seed=seed, generator=generator, max_steps=max_steps, batch_size=BLOCK_USERS
        ):
            batches.append(_columns(batch))
            num_rows += len(batch)
            if progress is not None:
                progress(min(num_rows, num_decisions), num_decisions)
        parts.append(_sorted(_joined(batches)))
        block += 1
    provenance: dict[str, Any] = {
        "scenario": scenario,
        "config": world.config.to_json(),
        "user_model": world.user_model.sources,
        "max_steps": max_steps,
        "seed": seed,
        "stream_version": STREAM_VERSION,
        "commit": source_commit(),
    }
    log = EventLog(**_joined(parts), policy=policy.name, provenance=provenance)
    return log.first_users(num_decisions)


def sorted_columns(batches: Iterable[Impressions]) -> dict[str, np.ndarray]:
    """The columns of an ``EventLog`` with every row of these impressions."""
    return _sorted(_joined([_columns(batch) for batch in batches]))


def _columns(batch: Impressions) -> dict[str, np.ndarray]:
    """The log's columns of one batch, in its compact dtypes."""
    columns = {key: batch.observation[key] for key in OBSERVATION_KEYS}
    columns["session_step"] = columns["session_step"][:, 0]
    columns |= {name: getattr(batch, name) for name in COLUMNS if name not in columns}
    return {name: column.astype(COLUMNS[name][0]) for name, column in columns.items()}


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS}


def _sorted(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    order = np.lexsort((columns["step"], columns["visit"], columns["user_id"]))
    return {name: column[order] for name, column in columns.items()}
