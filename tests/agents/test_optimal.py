"""The optimal policy as an agent: it earns what its solution says, and survives being saved."""

import numpy as np
import pytest

from agents.oracles.optimal import OptimalPolicy
from recsim_env import World, get_scenario, rollout


@pytest.fixture(scope="module")
def tiny():
    entry = get_scenario("Tiny-v0")
    world = World(entry.config)
    return world, entry.max_episode_steps, OptimalPolicy(world, entry.max_episode_steps, "enumeration")


def returns(world, policy, horizon, num_users=4_000):
    total = np.zeros(num_users)
    generator = np.random.default_rng(0)
    for batch in rollout(
        world, policy, np.arange(num_users), seed=1_801, generator=generator, max_steps=horizon
    ):
        total[batch.user_id] += batch.reward
    return total


def test_it_earns_its_value(tiny):
    world, horizon, policy = tiny
    users = np.arange(4_000)
    states = world.empty_states(len(users))
    world.reset(1_801, states, users, users, np.zeros_like(users))
    earned = returns(world, policy, horizon)
    error = earned.std() / np.sqrt(len(earned))
    assert abs(earned.mean() - policy.solution.value(states).mean()) < 3.9 * error  # fails once in 10,000


def test_a_saved_policy_acts_the_same(tiny, tmp_path):
    world, horizon, policy = tiny
    policy.save(tmp_path / "optimal")
    loaded = OptimalPolicy.load(tmp_path / "optimal")
    np.testing.assert_array_equal(returns(world, loaded, horizon, 50), returns(world, policy, horizon, 50))


def test_an_unknown_solver_is_named(tiny):
    with pytest.raises(ValueError, match="solver: expected one of enumeration, satisfaction, got 'magic'"):
        OptimalPolicy(tiny[0], 3, "magic")
