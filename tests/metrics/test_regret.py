import itertools

import numpy as np
import pytest

from agents import MyopicOracle, RandomPolicy
from recsim_env import World, get_scenario, rollout
from recsim_env.metrics import EngagementTally, RegretTally, lost_return
from recsim_env.truth import myopic_reward, slate_truth
from tests.metrics.impression_batches import random_batches
from tests.small_worlds import small_world

TINY = get_scenario("Tiny-v0")


@pytest.fixture(scope="module")
def world():
    return World(TINY.config)


def served(world, policy, num_users=300, **options):
    generator = np.random.default_rng(0)
    users = world.users(num_users)
    return rollout(world, policy, users, seed=5, generator=generator, max_steps=6, **options)


def test_the_oracle_has_no_regret_and_random_items_have_that_of_all_items_tried(world):
    tally, expected = RegretTally(), []
    for batch in served(world, RandomPolicy(6), with_oracle=True):
        tally.update(batch)
        assert (batch.expected_reward <= batch.best_reward + 1e-6).all()
        expected.append(batch.best_reward - batch.expected_reward)
    assert tally.result()["regret_per_user"] == pytest.approx(np.concatenate(expected).sum() / 300)
    assert tally.result()["regret_per_step"] > 0.1
    oracle = RegretTally()
    for batch in served(world, MyopicOracle(world), with_oracle=True):
        oracle.update(batch)
    assert oracle.result() == pytest.approx(dict.fromkeys(tally.result(), 0.0), abs=1e-9)


@pytest.mark.parametrize("model", ["logit", "position"])
def test_the_best_reward_is_that_of_the_best_slate_of_all(model):
    world = small_world(4, catalog={"num_items": 6}, choice={"model": model})
    states = world.empty_states(3)
    everybody = np.arange(3)
    world.reset(1, states, everybody, everybody, np.zeros(3, np.int64))
    values = [
        slate_truth(world, states, np.tile(slate, (3, 1))).expected_reward
        for slate in itertools.permutations(range(6), 4)
    ]
    np.testing.assert_allclose(myopic_reward(world, states), np.max(values, axis=0), rtol=1e-5)


def test_candidates_bound_what_the_oracle_may_show():
    world = small_world(1)
    states = world.empty_states(2)
    world.reset(1, states, np.arange(2), np.arange(2), np.zeros(2, np.int64))
    offered = np.array([[3, 60, 8], [5, 2, 60]])  # 60 is not on offer
    single = [slate_truth(world, states, np.full((2, 1), item)).expected_reward for item in range(60)]
    expected = [max(single[3][0], single[8][0]), max(single[5][1], single[2][1])]
    np.testing.assert_allclose(myopic_reward(world, states, offered), expected, rtol=1e-6)


def test_regret_by_hand():
    batch = next(random_batches(np.random.default_rng(0), num_users=3, max_length=1))
    batch.best_reward, batch.expected_reward = np.array([1.0, 2.0, 1.0]), np.array([0.5, 2.0, 0.0])
    batch.observation = {"hour": np.array([[0], [2], [2]])}
    tally = RegretTally()
    tally.update(batch)
    assert tally.result() == pytest.approx(
        {"regret_per_user": 0.5, "regret_per_step": 0.5, "regret_share": 1.5 / 4}
    )
    curves = tally.curves()
    np.testing.assert_allclose(curves["cumulative_regret"], [0.5])
    np.testing.assert_allclose(curves["regret_by_hour"], [0.5, np.nan, 0.5])


def test_impressions_without_the_truth_are_refused(world):
    with pytest.raises(ValueError, match="with_oracle=True"):
        RegretTally().update(next(served(world, RandomPolicy(6))))


def test_lost_return_is_the_distance_of_cumulative_rewards(world):
    tallies = []
    for policy in (MyopicOracle(world), RandomPolicy(6)):
        tally = EngagementTally()
        for batch in served(world, policy):
            tally.update(batch)
        tallies.append(tally)
    lost = lost_return(*tallies)
    assert lost[-1] == pytest.approx(
        tallies[0].result()["reward_per_user"] - tallies[1].result()["reward_per_user"]
    )
    np.testing.assert_allclose(lost_return(tallies[0], tallies[0]), 0.0)
    tallies[0].num_users += 1
    with pytest.raises(ValueError, match="expected 301 users"):
        lost_return(*tallies)
