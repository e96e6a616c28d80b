"""A vector environment as plain arrays, to go on from in another process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from recsim_env.streams import STREAM_VERSION


def take_snapshot(env: Any) -> dict[str, NDArray[Any]]:
    """See `RecommenderVectorEnv.snapshot`."""
    if not env._started or env.seed_value is None:
        raise ResetNeeded("call reset() before snapshot()")
    return {
        "made": made_with(env),
        "state": np.ascontiguousarray(env.state).view(np.uint8).reshape(env.num_envs, -1).copy(),
        "done": env._done.copy(),
        "turn": env._turn.copy(),
        "seed": np.array([env.seed_value], np.uint64).view(np.uint8),
    }


def put_back(env: Any, snapshot: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.int64]]:
    """See `RecommenderVectorEnv.restore`."""
    size = env.num_envs
    expected = {
        "made": ((32,), np.uint8),
        "state": ((size, env.state.itemsize), np.uint8),
        "done": ((size,), np.bool_),
        "turn": ((size,), np.int64),
        "seed": ((8,), np.uint8),
    }
    for name, (shape, dtype) in expected.items():
        found = np.asarray(snapshot[name]) if name in snapshot else None
        if found is None or found.shape != shape or found.dtype != dtype:
            what = "none" if found is None else f"shape {found.shape} of {found.dtype}"
            raise ValueError(
                f"snapshot: {name}: expected shape {shape} of {np.dtype(dtype)}, got {what}; "
                "it must be of an environment of this size and world"
            )
    if (snapshot["made"] != made_with(env)).any():
        raise ValueError(
            "snapshot: expected one of an environment made with the same world, users and horizon, and of "
            f"stream version {STREAM_VERSION}; got one of another"
        )
    env.state[:] = np.ascontiguousarray(snapshot["state"]).view(env.state.dtype).reshape(-1)
    env._done, env._turn = snapshot["done"].copy(), snapshot["turn"].copy()
    env.seed_value, env._started = int(snapshot["seed"].copy().view(np.uint64)[0]), True
    env._observation = env.world.empty_observation(size)
    env.world.kernel.observe_users(env.state, env._observation)
    if env.world.config.candidates.num_candidates:
        env.world.offer(env.seed_value, env.state, env._observation.candidates, env._scratch)
    observation: dict[str, NDArray[np.int64]] = env._visible()
    return observation


def made_with(env: Any) -> NDArray[np.uint8]:
    """[32] uint8: a digest of what an environment must have been made with to go on alike."""
    users = b"" if env._user_ids is None else np.ascontiguousarray(env._user_ids).tobytes()
    told = {
        "config": env.world.config.to_json(),
        "user_model": env.world.user_model.sources,
        "user_ids": hashlib.sha256(users).hexdigest(),
        "max_episode_steps": env.max_episode_steps,
        "autoreset_mode": env.autoreset_mode.value,
        "records": str(env.state.dtype.descr),
        "stream_version": STREAM_VERSION,
    }
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).digest()
    return np.frombuffer(digest, np.uint8).copy()
