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
CATALOG_OF_60 = PublicCatalog(np.zeros(60, np.int64), np.ones(60, np.float32), np.full(60, 1 / 60), 1)
RANKING = [1, 3, 4, 0, 5, 2]
NOBODY = [6, 6]
DATED = CATALOG._replace(born=np.array([0, 0, 0, 5, 5, 5]), gone=np.array([9, 5, 9, 9, 9, 9]))
"""On offer at hour 0: items 0, 1 and 2; from hour 5: all but 1; from hour 9: none."""


def at(hours, history, step, slate_size=1):
    return {**observe(history, step, slate_size), "hour": np.array(hours)[:, None]}


def offer(candidates, history, slate_size=1):
    return {**observe(history, [0] * len(history), slate_size), "candidates": np.array(candidates)}


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


def test_random_makes_the_same_draws_as_ever():
    """Plain worlds: numbers that the code before dates and candidates gave."""
    single = RandomPolicy(60).act(observe([NOBODY] * 12, [0] * 12), np.random.default_rng(7))
    assert single.action.tolist() == [56, 37, 41, 53, 34, 46, 50, 13, 3, 18, 17, 52]
    slates = RandomPolicy(60, 4, CATALOG_OF_60).act(
        observe([NOBODY] * 4, [0] * 4, 4), np.random.default_rng(7)
    )
    assert slates.action.tolist() == [[56, 37, 41, 53], [34, 46, 50, 13], [3, 18, 17, 52], [54, 0, 29, 49]]
    assert slates.propensity == pytest.approx(np.full(4, 1 / (60 * 59 * 58 * 57)))


def test_random_draws_from_what_is_on_offer(generator):
    policy = RandomPolicy(6, catalog=DATED)
    action, propensity = policy.act(at([0, 5] * 3_000, [NOBODY] * 6_000, [0] * 6_000), generator)
    assert propensity == pytest.approx(np.tile([1 / 3, 1 / 5], 3_000))
    early, late = (np.bincount(action[start::2], minlength=6) for start in (0, 1))
    assert early[3:].tolist() == [0, 0, 0]
    assert late[1] == 0
    assert np.abs(early[:3] - 1_000).max() < 5 * np.sqrt(1_000)
    assert np.abs(late[late > 0] - 600).max() < 5 * np.sqrt(600)


def test_random_numbers_of_candidates(generator):
    observation = offer([[6, 4, 6, 0, 2]] * 100, [NOBODY] * 100, 2)
    slates, propensity = RandomPolicy(6, 2, DATED).act(observation, generator)
    assert propensity == pytest.approx(np.full(100, 1 / 6))
    assert {tuple(slate) for slate in slates.tolist()} == {(1, 3), (1, 4), (3, 1), (3, 4), (4, 1), (4, 3)}


def test_random_needs_the_hour_and_the_right_catalog(generator):
    with pytest.raises(KeyError, match="'hour' is missing"):
        RandomPolicy(6, catalog=DATED).act(observe([NOBODY], [0]), generator)
    with pytest.raises(ValueError, match="catalog: expected 7 items, got 6"):
        RandomPolicy(7, catalog=DATED)


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


def test_popular_skips_what_is_not_on_offer(generator):
    # On offer in order of popularity: 1, 0, 2 at hour 0, and 3, 4, 0, 5, 2 at hour 5.
    policy = Popular(DATED)
    shown = [policy.act(at([0], [NOBODY], [step]), generator).action[0] for step in range(4)]
    assert shown == [1, 0, 2, 1]
    shown = [policy.act(at([5], [[4, 1]], [step]), generator).action[0] for step in range(5)]
    assert shown == [3, 0, 5, 2, 3]


def test_popular_slates_of_a_dated_catalog(generator):
    policy = Popular(DATED, 3)
    history = [[3, 6], [6, 6], [1, 6], [1, 3]]
    slates = policy.act(at([5, 0, 0, 9], history, [0, 0, 4, 2], 3), generator).action
    # The third has two left outside the history, so it counts again; the fourth has nothing, and any will do.
    assert slates[:3].tolist() == [[4, 0, 5], [1, 0, 2], [1, 0, 2]]
    assert len(set(slates[3].tolist())) == 3


def test_popular_is_the_same_when_every_item_is_on_offer(generator):
    always = CATALOG._replace(born=np.zeros(6, np.int64), gone=np.full(6, 99))
    history = [[1, 1], [4, 3], [6, 2], [1, 6], [6, 6]]
    plain = Popular(CATALOG, 2).act(observe(history, range(5), 2), generator)
    dated = Popular(always, 2).act(at([3, 3, 4, 5, 6], history, range(5), 2), generator)
    assert plain.action.tolist() == dated.action.tolist()


def test_popular_takes_the_most_popular_candidates(generator):
    candidates = [[2, 6, 4, 0, 6], [6, 1, 6, 6, 6]]
    slates = Popular(CATALOG, 2).act(offer(candidates, [[4, 4], NOBODY], 2), generator).action
    assert slates.tolist() == [[2, 3], [1, 0]]


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


def test_dates_are_saved(tmp_path):
    observation = at([0, 5, 4], [NOBODY, [3, 6], [1, 6]], [0, 1, 0], 2)
    for policy in (RandomPolicy(6, 2, DATED), Popular(DATED, 2)):
        policy.save(tmp_path / policy.name)
        loaded = type(policy).load(tmp_path / policy.name)
        before, after = (one.act(observation, np.random.default_rng(1)) for one in (policy, loaded))
        np.testing.assert_array_equal(before.action, after.action)
        np.testing.assert_array_equal(before.propensity, after.propensity)


@pytest.mark.parametrize("slate_size", [0, 7])
def test_impossible_slates_are_refused(slate_size):
    with pytest.raises(ValueError, match=r"slate_size: expected in \[1, 6\]"):
        RandomPolicy(6, slate_size)
    with pytest.raises(ValueError, match=r"slate_size: expected in \[1, 6\]"):
        Popular(CATALOG, slate_size)
