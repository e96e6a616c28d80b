"""Two-stage worlds: what the first stage offers, and how an action names it."""

import gymnasium
import numpy as np
import pytest
from scipy import stats

from agents import MyopicOracle, PlanningConfig, PlanningOracle
from recsim_env import RecommenderEnv, RecommenderVectorEnv, rollout
from recsim_env.truth import best_slates, candidate_truth, item_truth
from tests.small_worlds import fresh_states, small_world
from tests.statistical.reference import ALPHA

OFFER = {"num_candidates": 7, "candidate_draws": 3}
RUN = {"run_hours": 100.0, "run_users": 1_000}


@pytest.fixture(scope="module")
def world():
    return small_world(4, candidates=OFFER)


@pytest.fixture(scope="module")
def dated():
    return small_world(4, candidates=OFFER, catalog={"shelf_hours": 100.0}, run=RUN)


def test_candidates_are_different_items_of_their_parts(world):
    states, observation = fresh_states(world, np.arange(500))
    assert (observation.candidates % 7 == np.arange(7)).all()
    assert observation.candidates.max() < 60
    assert observation.candidates.min() >= 0
    np.testing.assert_array_equal(observation.candidates, world.offer(0, states))


def test_every_candidate_is_the_closest_of_three_draws(world):
    """The rank of a candidate's match within its part follows the law of a maximum of three, chi-square."""
    states, observation = fresh_states(world, np.arange(8_000))
    part = np.arange(3, 60, 7)
    match = states["taste"] @ world.items["embedding"][part].T
    rank = match.argsort(axis=1).argsort(axis=1)
    found = np.take_along_axis(rank, ((observation.candidates[:, 3] - 3) // 7)[:, None], axis=1)[:, 0]
    size = len(part)
    law = (np.arange(1, size + 1) / size) ** 3 - (np.arange(size) / size) ** 3
    assert stats.chisquare(np.bincount(found, minlength=size), 8_000 * law).pvalue > ALPHA


def test_another_step_has_other_candidates(world):
    states, first = fresh_states(world, np.arange(50))
    _, second = world.step(0, states, first.candidates[:, :4].copy())
    assert (first.candidates != second.candidates).mean() > 0.5


def test_an_action_is_the_number_of_a_candidate(world):
    env = RecommenderEnv(world=world)
    observation, _ = env.reset(seed=2)
    assert env.action_space == gymnasium.spaces.MultiDiscrete([7] * 4) or env.action_space.num_items == 7
    action = np.array([6, 0, 3, 1])
    following, *_ = env.step(action)
    np.testing.assert_array_equal(following["last_slate"], observation["candidates"][action])
    with pytest.raises(ValueError, match=r"expected a candidate's number in \[0, 7\), got 7"):
        env.step(np.array([7, 0, 3, 1]))


def test_single_items_too():
    env = RecommenderEnv(world=small_world(1, candidates=OFFER))
    observation, _ = env.reset(seed=2)
    following, *_ = env.step(5)
    assert following["last_slate"][0] == observation["candidates"][5]
    with pytest.raises(ValueError, match=r"expected a candidate's number in \[0, 7\), got 7"):
        env.step(7)


def test_the_batch_serves_what_the_single_environment_does(dated):
    batch = RecommenderVectorEnv(5, world=dated, user_ids=[100, 400, 7, 950, 200], max_episode_steps=4)
    seen, _ = batch.reset(seed=1)
    single = RecommenderEnv(world=dated)
    alone, _ = single.reset(seed=1, options={"user_id": 950})
    for step in range(4):
        for key, values in alone.items():
            np.testing.assert_array_equal(seen[key][3], values, err_msg=key)
        np.testing.assert_array_equal(batch.action_masks()[3], single.action_masks())
        actions = np.tile((np.arange(4) + step) % 7, (5, 1))
        seen, rewards, *_ = batch.step(actions)
        alone, reward, terminated, *_ = single.step(actions[3])
        assert reward == rewards[3]
        if terminated:
            break


def test_a_candidate_that_is_not_on_offer_is_masked_and_shows_nothing(dated):
    env = RecommenderEnv(world=dated, expected_reward=True)
    masked = 0
    for user in range(0, 1_000, 40):
        observation, _ = env.reset(seed=0, options={"user_id": user})
        mask = env.action_masks()[:7]
        np.testing.assert_array_equal(mask, observation["candidates"] < 60)
        there = dated.public_catalog.on_offer(observation["hour"])[0]
        assert there[observation["candidates"][mask]].all()
        order = np.argsort(mask, kind="stable")
        following, _, _, _, info = env.step(order[:4])
        blank = ~mask[order[:4]]
        masked += blank.sum()
        assert not following["last_events"][blank].any()
        if blank.all():
            assert info["expected_reward"] == 0
    assert masked > 20


def test_the_myopic_oracle_takes_the_best_candidates(dated):
    states, arrays = fresh_states(dated, dated.users(200))
    observation = arrays.visible(60)
    decision = MyopicOracle(dated).act(observation, np.random.default_rng(0), states)
    np.testing.assert_array_equal(
        decision.action, best_slates(dated, candidate_truth(dated, states, observation["candidates"]))
    )
    everything = np.append(item_truth(dated, states).utility, np.full((200, 1), -np.inf), axis=1)
    np.testing.assert_array_equal(
        candidate_truth(dated, states, observation["candidates"]).utility,
        np.take_along_axis(everything, observation["candidates"], axis=1),
    )


def test_policies_are_followed_in_a_rollout_and_items_are_logged(dated):
    policy = PlanningOracle(
        dated, 4, PlanningConfig(rollouts=2, depth=3, calibration_users=16, batch_users=8)
    )
    served = rollout(dated, policy, dated.users(20), seed=3, generator=np.random.default_rng(0), max_steps=4)
    for batch in served:
        offered = batch.observation["candidates"]
        there = dated.public_catalog.on_offer(batch.observation["hour"])
        shown_there = np.take_along_axis(there, batch.action, axis=1)
        is_offered = (batch.action[:, :, None] == offered[:, None, :]).any(axis=2)
        np.testing.assert_array_equal(is_offered, shown_there)


def test_forks_of_both_environments_are_offered_the_same(dated):
    env = RecommenderEnv(world=dated)
    env.reset(seed=4, options={"user_id": 300})
    twin = env.fork()
    for action in (np.arange(4), np.arange(3, 7)):
        first, second = env.step(action), twin.step(action)
        assert first[1:4] == second[1:4]
        for key, values in first[0].items():
            np.testing.assert_array_equal(values, second[0][key], err_msg=key)
        if first[2]:
            break
    batch = RecommenderVectorEnv(6, world=dated, max_episode_steps=5)
    batch.reset(seed=4)
    copy = batch.fork()
    actions = np.tile(np.arange(4), (6, 1))
    for _ in range(3):
        first, second = batch.step(actions)[0], copy.step(actions)[0]
        for key, values in first.items():
            np.testing.assert_array_equal(values, second[key], err_msg=key)
