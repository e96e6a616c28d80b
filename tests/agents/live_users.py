"""Users of a world who can be learned from while they are served."""

from __future__ import annotations

from gymnasium.vector import AutoresetMode

from recsim_env import RecommenderVectorEnv


def live(world, num_envs=500, seed=1_001):
    """A batch of them, in sessions of at most ten steps."""
    env = RecommenderVectorEnv(
        num_envs, world=world, max_episode_steps=10, autoreset_mode=AutoresetMode.DISABLED
    )
    env.reset(seed=seed)
    return env


def make_native(num_envs=4, max_steps=8, mode=AutoresetMode.DISABLED, **overrides):
    """A batch of users of a small Storefront."""
    return RecommenderVectorEnv(
        num_envs, max_episode_steps=max_steps, autoreset_mode=mode, catalog={"num_items": 60}, **overrides
    )
