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


def test_the_same_generator_gives_the_same_decisions(world, observation):
    policy = LoggingPolicy(world.public_catalog, 3)
    first, second = (policy.act(observation, np.random.default_rng(9)) for _ in range(2))
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
