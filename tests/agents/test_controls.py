"""The policies that learn nothing."""

from __future__ import annotations

import numpy as np
import pytest

from agents import MyopicOracle, Popular, RandomPolicy
from recsim_env.catalog import PublicCatalog
from recsim_env.truth import item_truth


def observe(history, step, slate_size=1):
    """A batch of observations that differ in history and session step only."""
    batch = len(history)
    return {
        "history_items": np.array(history),
        "history_events": np.ones_like(history),
        "last_slate": np.zeros((batch, slate_size), np.int64),
        "last_events": np.zeros((batch, slate_size), np.int64),
        "segment": np.zeros(batch, np.int64),
        "session_step": np.array(step).reshape(-1, 1),
    }


CATALOG = PublicCatalog(
    topic=np.zeros(6, np.int64),
    price=np.ones(6, np.float32),
    base_popularity=np.array([0.1, 0.3, 0.05, 0.25, 0.2, 0.1]),
    num_topics=1,
)
RANKING = [1, 3, 4, 0, 5, 2]
NOBODY = [6, 6]


def test_random_is_uniform_and_says_so(generator):
    observation = observe([NOBODY] * 6_000, [0] * 6_000)
    action, propensity = RandomPolicy(6).act(observation, generator)
    assert propensity == pytest.approx(np.full(6_000, 1 / 6))
    counts = np.bincount(action, minlength=6)
    assert np.abs(counts - 1_000).max() < 5 * np.sqrt(1_000)


def test_random_slates_are_distinct_with_the_slate_propensity(generator):
    action, propensity = RandomPolicy(6, 3).act(observe([NOBODY] * 100, [0] * 100, 3), generator)
    assert propensity == pytest.approx(np.full(100, 1 / (6 * 5 * 4)))
    assert all(len(set(slate)) == 3 for slate in action.tolist())


def test_popular_goes_down_the_ranking_and_starts_again(generator):
    policy = Popular(CATALOG)
    shown = [policy.act(observe([NOBODY], [step]), generator).action[0] for step in range(7)]
    assert shown == [*RANKING, RANKING[0]]


def test_popular_skips_the_visible_history(generator):
    observation = observe([[1, 1], [4, 3], [6, 2], [1, 6]], [0, 1, 4, 2])
    action, propensity = Popular(CATALOG).act(observation, generator)
    # Without 1: 3 first. Without 3 and 4: 1, then 0. Without 2: the fifth is 5. Without 1: 3, 4, then 0.
    assert action.tolist() == [3, 0, 5, 0]
    assert propensity.tolist() == [1, 1, 1, 1]


def test_popular_slates_follow_each_other(generator):
    policy = Popular(CATALOG, 2)
    slates = [policy.act(observe([[4, 6]], [step], 2), generator).action[0].tolist() for step in range(3)]
    assert slates == [[1, 3], [0, 5], [2, 1]]


def test_popular_needs_enough_items(generator):
    with pytest.raises(ValueError, match="only 4 are outside the history"):
        Popular(CATALOG, 5).act(observe([[0, 1]], [0], 5), generator)


def test_popular_refuses_items_of_another_catalog(generator):
    with pytest.raises(ValueError, match=r"expected in \[0, 6\], got 9"):
        Popular(CATALOG).act(observe([[9, 6]], [0]), generator)


def test_myopic_takes_the_best_expected_reward(world, observation, generator):
    states = world.empty_states(50)
    world.reset(3, states, np.arange(50), np.arange(50), np.zeros(50, np.int64))
    action, propensity = MyopicOracle(world).act(observation, generator, states)
    expected = item_truth(world, states).expected_reward
    assert action.tolist() == expected.argmax(axis=1).tolist()
    assert (propensity == 1).all()


def test_myopic_shows_slates(slate_world, slate_observation, generator):
    states = slate_world.empty_states(50)
    slate_world.reset(3, states, np.arange(50), np.arange(50), np.zeros(50, np.int64))
    slates = MyopicOracle(slate_world).act(slate_observation, generator, states).action
    assert slates.shape == (50, 10)


def test_round_trips(tmp_path, world, observation):
    states = world.empty_states(50)
    world.reset(3, states, np.arange(50), np.arange(50), np.zeros(50, np.int64))
    cases = [(RandomPolicy(60), ()), (Popular(world.public_catalog), ()), (MyopicOracle(world), (states,))]
    for policy, extra in cases:
        policy.save(tmp_path / policy.name)
        loaded = type(policy).load(tmp_path / policy.name)
        before = policy.act(observation, np.random.default_rng(1), *extra)
        after = loaded.act(observation, np.random.default_rng(1), *extra)
        np.testing.assert_array_equal(before.action, after.action)
        np.testing.assert_array_equal(before.propensity, after.propensity)


@pytest.mark.parametrize("slate_size", [0, 7])
def test_impossible_slates_are_refused(slate_size):
    with pytest.raises(ValueError, match=r"slate_size: expected in \[1, 6\]"):
        RandomPolicy(6, slate_size)
    with pytest.raises(ValueError, match=r"slate_size: expected in \[1, 6\]"):
        Popular(CATALOG, slate_size)
