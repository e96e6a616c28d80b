"""Run a policy on a world's users and keep what was logged."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from recsim_env.event_log.log import COLUMNS, OBSERVATION_KEYS, EventLog
from recsim_env.event_log.provenance import source_commit
from recsim_env.rollout import Impressions, rollout
from recsim_env.streams import STREAM_VERSION

if TYPE_CHECKING:
    from recsim_env.policy import Policy

BLOCK_USERS = 4_096
"""Users are served in blocks of this size, each with its own generator: a longer log starts with the shorter one."""


def collect_log(
    scenario: str,
    policy: Policy,
    num_decisions: int,
    seed: int,
    *,
    batch_size: int = 1_024,
    progress: Callable[[int, int], None] | None = None,
    **overrides: Any,
) -> EventLog:
    """Log whole sessions of users 0, 1, 2, ... until at least `num_decisions` decisions are logged.

    Args:
        scenario: id of a registered environment.
        policy: the logging policy; states its propensities.
        num_decisions: least number of rows; the last user's session is kept whole.
        seed: of the world's streams; the policy's own draws come from generators seeded with (seed, block).
        batch_size: users served at a time.
        progress: called as progress(rows so far, num_decisions).
        overrides: passed on to the environment.

    Returns:
        The log; the same prefix of users for any `num_decisions`.
    """
    if num_decisions < 1:
        raise ValueError(f"num_decisions: expected at least 1, got {num_decisions}")
    env = gym.make_vec(
        scenario, num_envs=batch_size, vector_kwargs={"autoreset_mode": AutoresetMode.DISABLED}, **overrides
    )
    world = env.unwrapped.world  # type: ignore[attr-defined]
    env.reset(seed=seed)
    parts: list[dict[str, np.ndarray]] = []
    num_rows = block = 0
    while num_rows < num_decisions:
        users = np.arange(block * BLOCK_USERS, (block + 1) * BLOCK_USERS)
        batches = []
        for batch in rollout(env, policy, users, np.random.default_rng([seed, block])):
            batches.append(_columns(batch))
            if progress is not None:
                num_rows += len(batch.step)
                progress(min(num_rows, num_decisions), num_decisions)
        parts.append(_sorted({name: np.concatenate([part[name] for part in batches]) for name in batches[0]}))
        num_rows = sum(len(part["step"]) for part in parts)
        block += 1
    env.close()
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    columns["price"] = world.public_catalog.price[columns["action"]]
    provenance = {
        "scenario": scenario,
        "config": world.config.to_json(),
        "seed": seed,
        "stream_version": STREAM_VERSION,
        "commit": source_commit(),
    }
    return EventLog(**columns, policy=policy.name, provenance=provenance).first_users(num_decisions)


def _columns(batch: Impressions) -> dict[str, np.ndarray]:
    """The log's columns of one batch, compact dtypes, price left out."""
    columns = {name: getattr(batch, name) for name in COLUMNS if hasattr(batch, name)}
    columns |= {key: batch.observation[key] for key in OBSERVATION_KEYS}
    columns["session_step"] = columns["session_step"][:, 0]
    columns["action"] = np.asarray(batch.action).reshape(len(batch.step), -1)
    return {name: column.astype(COLUMNS[name][0]) for name, column in columns.items()}


def _sorted(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    order = np.lexsort((columns["step"], columns["visit"], columns["user_id"]))
    return {name: column[order] for name, column in columns.items()}
