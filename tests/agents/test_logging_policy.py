"""The logging policy: what it draws is what it says it draws, and everything can be drawn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from agents import LoggingConfig, LoggingPolicy
from recsim_env.catalog import PublicCatalog

ERROR_RATE = 1e-6
# Topic 1 has no item; ids are not sorted by topic.
CATALOG = PublicCatalog(
    topic=np.array([2, 0, 2, 0, 3]),
    price=np.arange(1, 6, dtype=np.float32),
    base_popularity=np.array([0.4, 0.1, 0.2, 0.25, 0.05]),
    num_topics=4,
)


def observe(history):
    return {"history_items": np.array(history)}


def test_item_prob_by_hand():
    config = LoggingConfig(epsilon=0.1, temperature=2.0, popularity_weight=1.0, topic_weight=4.0)
    history = [[5, 0, 2, 1]]  # padding, then topics 2, 2, 0
    utility = np.log(CATALOG.base_popularity) + 4.0 * np.array([2 / 3, 1 / 3, 2 / 3, 1 / 3, 0.0])
    soft = np.exp(utility / 2.0) / np.exp(utility / 2.0).sum()
    prob = LoggingPolicy(CATALOG, config=config).item_prob(observe(history))
    np.testing.assert_allclose(prob, [0.9 * soft + 0.1 / 5], rtol=1e-12)


def restricted_by_hand(history_share, items, config):
    """p over the given items of CATALOG, for the share of each item's topic in the history."""
    utility = config.popularity_weight * np.log(CATALOG.base_popularity)
    utility = (utility + config.topic_weight * np.array(history_share)) / config.temperature
    soft = np.exp(utility[items]) / np.exp(utility[items]).sum()
    return (1 - config.epsilon) * soft + config.epsilon / len(items)


SHARE = [2 / 3, 1 / 3, 2 / 3, 1 / 3, 0.0]  # of the history 0, 2, 1
DATED = CATALOG._replace(born=np.array([0, 5, 0, 5, 0]), gone=np.array([10, 10, 5, 10, 10]))
"""On offer at hour 0: items 0, 2 and 4; at 5: all but 2; at 10: none."""


def test_item_prob_of_a_dated_catalog_by_hand():
    config = LoggingConfig(epsilon=0.1, temperature=2.0, popularity_weight=1.0, topic_weight=4.0)
    observation = {**observe([[5, 0, 2, 1]] * 3), "hour": np.array([[5], [0], [10]])}
    prob = LoggingPolicy(DATED, config=config).item_prob(observation)
    np.testing.assert_allclose(prob[0], restricted_by_hand(SHARE, [0, 1, 3, 4], config), rtol=1e-12)
    np.testing.assert_allclose(prob[1], [*restricted_by_hand(SHARE, [0, 2, 4], config), 0.0], rtol=1e-12)
    assert prob[2].tolist() == [0.0] * 4


def test_item_prob_of_candidates_by_hand():
    config = LoggingConfig(epsilon=0.1, temperature=2.0, popularity_weight=1.0, topic_weight=4.0)
    observation = {**observe([[5, 0, 2, 1]]), "candidates": np.array([[3, 5, 0, 5]])}
    prob = LoggingPolicy(CATALOG, config=config).item_prob(observation)[0]
    np.testing.assert_allclose(prob[[0, 2]], restricted_by_hand(SHARE, [3, 0], config), rtol=1e-12)
    assert prob[[1, 3]].tolist() == [0.0, 0.0]


def test_the_restricted_softmax_is_the_plain_one_when_everything_is_on_offer(world, observation):
    catalog = world.public_catalog
    always = catalog._replace(born=np.full(60, -5), gone=np.full(60, 5))
    plain = LoggingPolicy(catalog).item_prob(observation)
    dated = LoggingPolicy(always).item_prob({**observation, "hour": np.arange(50)[:, None] % 5})
    np.testing.assert_allclose(dated, plain, rtol=1e-10)


@pytest.mark.parametrize("slate_size", [1, 2])
@pytest.mark.parametrize("two_stage", [False, True])
def test_restricted_draws_follow_the_stated_propensity(generator, slate_size, two_stage):
    policy = LoggingPolicy(DATED, slate_size, LoggingConfig(epsilon=0.4, topic_weight=1.0))
    extra = {"candidates": [[4, 5, 0, 5, 2]]} if two_stage else {"hour": [[0]]}
    possible = [0, 2, 4]  # items at hour 0, and just so numbers of candidates
    observation = {
        **observe([[0, 3, 1]] * 20_000),
        **{k: np.repeat(v, 20_000, axis=0) for k, v in extra.items()},
    }
    action, propensity = policy.act(observation, generator)
    slates = [tuple(slate) for slate in action.reshape(-1, slate_size).tolist()]
    stated = dict(zip(slates, propensity.tolist(), strict=True))
    assert set(stated) == set(itertools.permutations(possible, slate_size))
    assert sum(stated.values()) == pytest.approx(1.0)
    counts = np.array([slates.count(slate) for slate in stated])
    assert stats.chisquare(counts, np.array(list(stated.values())) * 20_000).pvalue > ERROR_RATE


def test_slates_longer_than_the_offer(generator):
    observation = {**observe([[0, 3, 1]] * 2), "hour": np.array([[0], [10]])}
    slates, propensity = LoggingPolicy(DATED, 4).act(observation, generator)
    assert sorted(slates[0, :3].tolist()) == [0, 2, 4]
    assert all(len(set(slate)) == 4 for slate in slates.tolist())
    assert 0 < propensity[0] < 1
    assert propensity[1] == 1


def test_plain_worlds_have_the_same_draws_as_ever(world, observation):
    """The numbers that the code before dates and candidates gave."""
    history = {"history_items": observation["history_items"][:12]}
    single = LoggingPolicy(world.public_catalog).act(history, np.random.default_rng(7))
    assert single.action.tolist() == [24, 11, 5, 21, 56, 20, 34, 9, 52, 0, 23, 52]
    assert single.propensity[:2] == pytest.approx([0.016750220633500745, 0.008450333375266902], rel=1e-12)
    slates = LoggingPolicy(world.public_catalog, 4).act(history, np.random.default_rng(7))
    assert slates.action[:3].tolist() == [[0, 57, 59, 33], [49, 0, 38, 28], [16, 11, 56, 24]]
    assert slates.propensity[:2] == pytest.approx([2.5606343355330055e-07, 9.391490907294259e-07], rel=1e-12)


def test_dates_are_saved_and_count_as_the_catalog(tmp_path):
    policy = LoggingPolicy(DATED, 2)
    policy.save(tmp_path / "logging")
    loaded = LoggingPolicy.load(tmp_path / "logging")
    observation = {**observe([[0, 3, 1]] * 3), "hour": np.array([[0], [5], [9]])}
    before, after = (one.act(observation, np.random.default_rng(1)) for one in (policy, loaded))
    np.testing.assert_array_equal(before.action, after.action)
    np.testing.assert_array_equal(before.propensity, after.propensity)
    loaded.check_catalog(DATED)
    with pytest.raises(ValueError, match="fingerprint"):
        loaded.check_catalog(CATALOG)


def test_a_cold_user_gets_popularity():
    prob = LoggingPolicy(CATALOG, config=LoggingConfig(epsilon=0.5, popularity_weight=1.0)).item_prob(
        observe([[5, 5]])
    )
    np.testing.assert_allclose(prob, [0.5 * CATALOG.base_popularity + 0.1], rtol=1e-12)


def test_probabilities_sum_to_one_with_full_support(world, observation):
    policy = LoggingPolicy(world.public_catalog)
    prob = policy.item_prob(observation)
    np.testing.assert_allclose(prob.sum(axis=1), 1.0, rtol=1e-12)
    assert prob.min() >= policy.config.epsilon / 60


def test_draws_follow_the_stated_probabilities(generator):
    policy = LoggingPolicy(CATALOG)
    observation = observe([[0, 3, 1]] * 20_000)
    action, propensity = policy.act(observation, generator)
    prob = policy.item_prob(observe([[0, 3, 1]]))[0]
    np.testing.assert_allclose(propensity, prob[action], rtol=1e-12)
    assert stats.chisquare(np.bincount(action, minlength=5), prob * len(action)).pvalue > ERROR_RATE


def test_slates_follow_the_stated_propensity(generator):
    policy = LoggingPolicy(CATALOG, 2, LoggingConfig(epsilon=0.4, topic_weight=1.0))
    slates, propensity = policy.act(observe([[0, 3, 1]] * 20_000), generator)
    stated = {tuple(slate): value for slate, value in zip(slates.tolist(), propensity.tolist(), strict=True)}
    pairs = list(itertools.permutations(range(5), 2))
    assert sum(stated[pair] for pair in pairs) == pytest.approx(1.0)
    counts = np.array([(slates == pair).all(axis=1).sum() for pair in pairs])
    expected = np.array([stated[pair] for pair in pairs]) * len(slates)
    assert stats.chisquare(counts, expected).pvalue > ERROR_RATE


def test_the_same_generator_gives_the_same_decisions(slate_world, slate_observation):
    policy = LoggingPolicy(slate_world.public_catalog, 10)
    first, second = (policy.act(slate_observation, np.random.default_rng(9)) for _ in range(2))
    np.testing.assert_array_equal(first.action, second.action)


def test_round_trip(tmp_path, world, observation):
    policy = LoggingPolicy(world.public_catalog, config=LoggingConfig(epsilon=0.3))
    policy.save(tmp_path / "logging")
    loaded = LoggingPolicy.load(tmp_path / "logging")
    loaded.check_catalog(world.public_catalog)
    assert loaded.config == policy.config
    for before, after in zip(
        policy.act(observation, np.random.default_rng(1)),
        loaded.act(observation, np.random.default_rng(1)),
        strict=True,
    ):
        np.testing.assert_array_equal(before, after)
    with pytest.raises(ValueError, match=r"fingerprint \w+ \(5 items\)"):
        loaded.check_catalog(CATALOG)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epsilon": -0.1}, r"epsilon: expected in \[0, 1\]"),
        ({"epsilon": float("nan")}, "epsilon: expected a finite number"),
        ({"temperature": 0.0}, "temperature: expected above 0"),
        ({"topic_weight": float("inf")}, "topic_weight: expected a finite number"),
    ],
)
def test_bad_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        LoggingConfig(**changes)


def test_every_setting_changes_the_probabilities(world, observation):
    base = LoggingPolicy(world.public_catalog).item_prob(observation)
    changes = {"epsilon": 0.5, "temperature": 0.5, "popularity_weight": 2.0, "topic_weight": 1.0}
    assert changes.keys() == LoggingConfig.__dataclass_fields__.keys()
    for name, value in changes.items():
        policy = LoggingPolicy(world.public_catalog, config=LoggingConfig(**{name: value}))
        assert not np.allclose(policy.item_prob(observation), base), name
