"""A test against each defect that was found in other simulators and has no test of its own elsewhere.

Elsewhere: an average that turns embeddings into one number (tests/kernel), a time limit reported as
termination (test_autoreset), draws skipped at probability 0 or 1 (tests/invariance), reused observation
arrays (test_copies), ignored parameters (test_config_fields).
"""

import random

import gymnasium
import numpy as np
import pytest
from scipy import special

from recsim_env import SCENARIOS, RecommenderEnv, RecommenderVectorEnv
from recsim_env.truth import item_truth, slate_truth
from tests.small_worlds import MODELS, digest, fingerprint, fresh_states, serve, small_world


def global_generators():
    state = np.random.get_state()  # noqa: NPY002 - the one that must not be touched
    return random.getstate(), state[0], digest(state[1]), state[2:]


@pytest.mark.parametrize("model", MODELS)
def test_global_generators_are_neither_read_nor_advanced(model):
    world = small_world(4, model)
    before = global_generators()
    first = fingerprint(serve(world, np.arange(20), 5))
    env = RecommenderVectorEnv(3, world=world)
    env.reset(seed=1)
    env.step(np.tile([0, 1, 2, 3], (3, 1)))
    assert global_generators() == before
    np.random.seed(7)  # noqa: NPY002
    random.seed(7)
    assert fingerprint(serve(world, np.arange(20), 5)) == first


@pytest.mark.parametrize("neighbours", [1, 4, 40])
def test_a_user_s_luck_does_not_depend_on_how_many_rows_restart_beside_it(neighbours):
    """User 77 in the last row, session after session, beside few and many users who leave again and again."""
    world = small_world(4, session={"patience_scale": 0.4})
    env = RecommenderVectorEnv(neighbours + 1, world=world, autoreset_mode="Disabled")
    last = np.arange(neighbours + 1) == neighbours
    users = np.where(last, 77, np.arange(neighbours + 1))
    env.reset(seed=3, options={"user_ids": users})
    alone = RecommenderEnv(world=world)
    alone.reset(seed=3, options={"user_id": 77})
    restarts = 0
    for _ in range(12):
        _, reward, terminated, truncated, _ = env.step(np.tile([0, 1, 2, 3], (neighbours + 1, 1)))
        _, expected, ended, _, _ = alone.step([0, 1, 2, 3])
        assert (reward[-1], terminated[-1]) == (expected, ended)
        done = terminated | truncated
        restarts += done.sum()
        if done.any():
            users = np.where(last, 77, users + 1_000)
            env.reset(options={"reset_mask": done, "user_ids": users[done]})
        if ended:
            alone.reset(options={"user_id": 77})
    assert restarts > neighbours


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_reset_with_a_seed_reproduces_rewards(scenario):
    env = gymnasium.make(f"recsim_env/{scenario}")
    episodes = []
    for _ in range(2):
        env.action_space.seed(2)
        env.reset(seed=9)
        rewards, over = [], False
        while not over:
            _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
            rewards.append(reward)
            over = terminated or truncated
        episodes.append(rewards)
        env.reset()
        env.step(env.action_space.sample())
    assert episodes[0] == episodes[1]


@pytest.mark.parametrize("offset", [2**8, 2**16, 2**31, 2**32, 2**43])
def test_user_ids_count_in_full(offset):
    world = small_world(4)
    near, far = (fresh_states(world, np.arange(20) + shift)[0] for shift in (0, offset))
    np.testing.assert_array_equal(far["user_id"], np.arange(20) + offset)
    assert (near["taste"] != far["taste"]).any(axis=1).all()
    env = RecommenderEnv(world=world)
    assert env.reset(seed=0, options={"user_id": offset})[1]["user_id"] == offset


def test_item_ids_count_in_full():
    """Items beyond 65,536 are shown, remembered and distinct, in observations and in the truth."""
    world = small_world(4, catalog={"num_items": 70_000}, choice={"no_click_utility": -20.0})
    slate = np.array([65_536, 65_537, 65_538, 69_999])
    env = RecommenderEnv(world=world)
    env.reset(seed=0)
    observation, *_ = env.step(slate)
    np.testing.assert_array_equal(observation["last_slate"], slate)
    assert observation["history_items"][-1] in slate
    states, _ = fresh_states(world, [0])
    low = slate_truth(world, states, (slate % 2**16)[None])
    assert (low.like_prob != slate_truth(world, states, slate[None]).like_prob).all()


@pytest.mark.parametrize("model", MODELS)
def test_the_sigmoid_is_applied_once(model):
    """A click on an item alone has probability sigmoid(v); twice would never go below a half."""
    world = small_world(1, model, choice={"no_click_utility": 3.0})
    states, _ = fresh_states(world, np.arange(50))
    utility = item_truth(world, states).utility[:, :1].astype(float)
    clicks = slate_truth(world, states, np.zeros((50, 1), np.int64)).click_prob
    np.testing.assert_allclose(clicks, special.expit(utility), rtol=1e-5)
    assert clicks.min() < 0.2


def test_the_reward_scale_does_not_change_with_the_size_of_the_catalog():
    """Mean expected reward of random slates, over catalogs drawn alike: within a fifth of each other."""
    means = []
    for count in (300, 3_000, 30_000, 300_000):
        world = small_world(4, catalog={"num_items": count})
        states, _ = fresh_states(world, np.arange(3_000))
        slates = np.random.default_rng(0).integers(0, count, (3_000, 4))
        means.append(slate_truth(world, states, slates).expected_reward.mean())
    assert max(means) < 1.2 * min(means)
