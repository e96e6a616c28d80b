"""Where the optimum is known, values with foresight come near it and their twins without do not."""

from __future__ import annotations

import numpy as np
import pytest

from agents import AGENTS, RandomPolicy
from agents.presets import KNOWN_OPTIMUM
from agents.registry import OPTIMAL
from recsim_env import World, get_scenario, rollout
from recsim_env.event_log import collect_log

pytestmark = pytest.mark.slow

USERS = 2_000


def returns(world, policy, horizon):
    """[USERS] return of each held-out user, the same users for every policy."""
    total, draws = np.zeros(USERS), np.random.default_rng(0)
    served = rollout(world, policy, np.arange(USERS), seed=6_000, generator=draws, max_steps=horizon)
    for batch in served:
        total[batch.user_id] += batch.reward
    return total


def test_double_dqn_on_tiny():
    """A policy that knows what the observation holds cannot have it all: the times of clicks are hidden."""
    scenario = get_scenario("Tiny-v0")
    world, horizon = World(scenario.config), scenario.max_episode_steps
    log = collect_log(scenario.id, RandomPolicy(6), 60_000, seed=1_000)
    optimum = returns(world, OPTIMAL[scenario.name](world), horizon)
    earned = {}
    for name in ("double-dqn", "double-dqn, gamma 0", "supervised"):
        agent, config = KNOWN_OPTIMUM[scenario.name][name]
        learned = AGENTS[agent](config).fit(log, world.public_catalog, seed=1_000)
        earned[name] = returns(world, learned, horizon)
    foresight = earned.pop("double-dqn")
    assert foresight.mean() > 0.88 * optimum.mean()
    for name, myopic in earned.items():
        gain = foresight - myopic
        assert gain.mean() > 4 * gain.std() / np.sqrt(USERS), name  # fails once in 30,000 without a gain
