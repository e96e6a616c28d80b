"""Agents learn: from a log more than the policy that made it knew, online more than popularity knows."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from agents import (
    DQN,
    SQN,
    DQNConfig,
    LoggingPolicy,
    Popular,
    RandomPolicy,
    Reinforce,
    ReinforceConfig,
    SQNConfig,
    make_logging_policy,
)
from recsim_env import RecommenderVectorEnv, World, WorldConfig, rollout
from recsim_env.event_log import collect_log

pytestmark = pytest.mark.slow

MAX_STEPS = 30
HELD_OUT = 1_000


@pytest.fixture(scope="module")
def small_world():
    return World(WorldConfig().replace(catalog={"num_items": 200}))


@pytest.fixture(scope="module")
def small_log(small_world):
    policy = LoggingPolicy(small_world.public_catalog)
    return collect_log(small_world, policy, 120_000, seed=1_001, max_steps=MAX_STEPS)


def returns(world, policy, num_users=2_000):
    """[num_users] return of each held-out user, the same users for every policy."""
    total = np.zeros(num_users)
    draws = np.random.default_rng(1)
    for batch in rollout(
        world, policy, np.arange(num_users), seed=HELD_OUT, generator=draws, max_steps=MAX_STEPS
    ):
        total[batch.user_id] += batch.reward
    return total


def assert_better(world, policy, other):
    """The paired difference is above 0 by more than three standard errors."""
    difference = returns(world, policy) - returns(world, other)
    error = difference.std() / np.sqrt(len(difference))
    assert difference.mean() > 3 * error, (difference.mean(), error)


@pytest.mark.parametrize(
    "agent",
    [SQN(SQNConfig(dim=32)), SQN(SQNConfig(dim=32, acting_head="q")), Reinforce(ReinforceConfig(dim=32))],
    ids=["sqn", "sqn-q", "ips"],
)
def test_offline_learners_beat_the_logging_policy(small_world, small_log, agent):
    catalog = small_world.public_catalog
    assert_better(small_world, agent.fit(small_log, catalog, seed=0), LoggingPolicy(catalog))


@pytest.mark.parametrize("policy", ["logging", "epsilon-greedy"])
def test_ips_from_a_short_log_earns_more_after_a_warm_start_without_weights(small_world, policy):
    """Weights from the first update on throw away what the logging policy knew of the users."""
    catalog = small_world.public_catalog
    logger = make_logging_policy(policy, small_world).policy
    log = collect_log(small_world, logger, 20_000, seed=1_001, max_steps=MAX_STEPS)
    warm, cold = (
        Reinforce(ReinforceConfig(dim=32, epochs=8.0, warm_start=share)).fit(log, catalog, seed=0)
        for share in (0.5, 0.0)
    )
    assert_better(small_world, warm, cold)


def test_dqn_beats_random_and_popular(small_world):
    env = RecommenderVectorEnv(
        64, world=small_world, max_episode_steps=MAX_STEPS, autoreset_mode=AutoresetMode.DISABLED
    )
    env.reset(seed=1_002)
    config = DQNConfig(dim=32, learning_starts=2_000)
    agent = DQN(config).learn(env, 60_000, seed=0)
    for other in (RandomPolicy(200), Popular(small_world.public_catalog)):
        assert_better(small_world, agent, other)
