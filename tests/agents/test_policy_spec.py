"""Logging policies by specification, and what they say of their own probabilities."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from agents import (
    POLICIES,
    EpsilonGreedy,
    EpsilonGreedyConfig,
    LoggingConfig,
    LoggingPolicy,
    RandomPolicy,
    Reinforce,
    ReinforceConfig,
    load_saved,
    make_logging_policy,
)
from agents.sampling import offered_log_conditional
from recsim_env.catalog import PublicCatalog
from tests.small_worlds import small_world

ERROR_RATE = 1e-6
CATALOG = PublicCatalog(
    topic=np.array([2, 0, 2, 0, 3]),
    price=np.arange(1, 6, dtype=np.float32),
    base_popularity=np.array([0.4, 0.1, 0.2, 0.25, 0.05]),
    num_topics=4,
)
SEEN = [[5, 0, 2, 1]]  # padding, then topics 2, 2, 0


def observe(history):
    return {"history_items": np.array(history), "segment": np.zeros(len(history), np.int64)}


def utility(popularity_weight, topic_weight):
    share = np.array([2 / 3, 1 / 3, 2 / 3, 1 / 3, 0.0])
    return popularity_weight * np.log(CATALOG.base_popularity) + topic_weight * share


@pytest.mark.parametrize("weights", [(0.5, 6.0), (2.0, 0.1), (0.0, 1.0), (-1.0, 0.5), (0.0, 0.0)])
@pytest.mark.parametrize("slate_size", [1, 2, 5])
def test_the_best_are_those_of_highest_utility(weights, slate_size):
    policy = EpsilonGreedy(CATALOG, slate_size, EpsilonGreedyConfig(0.0, *weights))
    value = utility(*weights)
    expected = sorted(range(5), key=lambda item: (-value[item], -CATALOG.base_popularity[item], item))
    assert policy.best(observe(SEEN)).tolist() == [expected[:slate_size]]


def test_greedy_is_deterministic_and_says_so(generator):
    policy = EpsilonGreedy(CATALOG, 2, EpsilonGreedyConfig(epsilon=0.0))
    slates, propensity = policy.act(observe(SEEN * 50), generator)
    assert (slates == policy.best(observe(SEEN))).all()
    assert (propensity == 1).all()


@pytest.mark.parametrize(
    "policy",
    [
        EpsilonGreedy(CATALOG, 2, EpsilonGreedyConfig(epsilon=0.4)),
        LoggingPolicy(CATALOG, 2, LoggingConfig(epsilon=0.0, topic_weight=1.0)),
        LoggingPolicy(CATALOG, 2, LoggingConfig(epsilon=0.3, topic_weight=1.0)),
        RandomPolicy(5, 2),
    ],
    ids=["epsilon-greedy", "softmax", "logging", "uniform"],
)
def test_slates_follow_the_stated_propensities(policy, generator):
    pairs = np.array(list(itertools.permutations(range(5), 2)))
    many = observe(SEEN * len(pairs))
    stated = policy.item_propensity(many, pairs)
    assert stated.prod(axis=1).sum() == pytest.approx(1.0)
    first = policy.item_prob(many)
    np.testing.assert_allclose(first.sum(axis=1), 1.0)
    np.testing.assert_allclose(stated[:, 0], first[0, pairs[:, 0]])
    slates, propensity = policy.act(observe(SEEN * 20_000), generator)
    place = {tuple(pair): number for number, pair in enumerate(pairs.tolist())}
    drawn = np.array([place[tuple(slate)] for slate in slates.tolist()])
    np.testing.assert_allclose(propensity, stated.prod(axis=1)[drawn], rtol=1e-9)
    expected = stated.prod(axis=1) * len(slates)
    assert stats.chisquare(np.bincount(drawn, minlength=len(pairs)), expected).pvalue > ERROR_RATE


def test_what_is_left_of_a_peaked_softmax_is_exact():
    """After an item with all but 1e-30 of the mass, 1 minus its probability would be 0."""
    log_prob = np.log([[1.0, 3e-30, 1e-30]])
    for slate, expected in (([0, 1, 2], [1.0, 0.75, 1.0]), ([1, 0], [3e-30, 1.0])):
        found = np.exp(offered_log_conditional(np.array([slate]), log_prob))
        np.testing.assert_allclose(found, [expected], rtol=1e-12)


def test_the_temperature_grades_the_policy(generator):
    """The lower, the more often the best item, and the closer to greedy."""
    share = []
    for temperature in (4.0, 1.0, 0.25, 0.05):
        policy = LoggingPolicy(CATALOG, config=LoggingConfig(epsilon=0.0, temperature=temperature))
        share.append(policy.item_prob(observe(SEEN))[0, 0])
    assert share == sorted(share)
    assert share[-1] > 0.99
    with pytest.raises(ValueError, match=r"temperature: expected at least 0\.01.*EpsilonGreedy is the limit"):
        LoggingPolicy(CATALOG, config=LoggingConfig(epsilon=0.0, temperature=0.001))


def test_popularity_is_the_base_popularity():
    world = small_world(1)
    policy, origin = make_logging_policy("popularity", world)
    np.testing.assert_allclose(
        policy.item_prob(observe([[60, 60], [3, 4]])), [world.public_catalog.base_popularity] * 2
    )
    assert policy.name == origin["spec"] == "popularity"


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("slate_size", [1, 4])
def test_every_name_makes_a_policy(name, slate_size):
    policy, origin = make_logging_policy(name, small_world(slate_size))
    assert origin["spec"] == name
    assert callable(policy.act)


def test_settings_reach_the_policy():
    world = small_world(1)
    policy, origin = make_logging_policy("softmax:temperature=0.5,topic-weight=2", world)
    assert (policy.config.temperature, policy.config.topic_weight, policy.config.epsilon) == (0.5, 2.0, 0.0)
    assert origin["settings"]["temperature"] == 0.5
    policy, _ = make_logging_policy("epsilon-greedy:epsilon=0.05", world)
    assert policy.config.epsilon == 0.05


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("softmx", "did you mean 'softmax'"),
        ("uniform:epsilon=1", "unknown setting 'epsilon'; expected none"),
        ("softmax:epsilon=2", r"epsilon: expected in \[0, 1\]"),
        ("softmax:temperature", "temperature: expected a number, got ''"),
    ],
)
def test_mistakes_are_named(spec, message):
    with pytest.raises(ValueError, match=message):
        make_logging_policy(spec, small_world(1))


def test_a_saved_agent_makes_logs(tmp_path, world, log):
    agent = Reinforce(ReinforceConfig(epochs=0.1)).fit(log, world.public_catalog, seed=0)
    agent.save(tmp_path / "agent")
    policy, origin = make_logging_policy(str(tmp_path / "agent"), world)
    assert origin["agent"] == "Reinforce"
    seen = log.observation(np.arange(50))
    action, propensity = policy.act(seen, np.random.default_rng(0))
    np.testing.assert_allclose(policy.item_prob(seen)[np.arange(50), action], propensity, rtol=1e-5)
    with pytest.raises(ValueError, match="this agent was made for the catalog"):
        make_logging_policy(str(tmp_path / "agent"), small_world(1))


def test_epsilon_greedy_survives_a_file(tmp_path):
    world = small_world(4)
    policy = EpsilonGreedy(world.public_catalog, 4, EpsilonGreedyConfig(epsilon=0.3))
    policy.save(tmp_path / "agent")
    loaded = load_saved(tmp_path / "agent")
    assert (type(loaded), loaded.config) == (EpsilonGreedy, policy.config)
    seen = observe([[60, 1, 2], [3, 4, 5]])
    for before, after in zip(
        policy.act(seen, np.random.default_rng(1)), loaded.act(seen, np.random.default_rng(1)), strict=True
    ):
        np.testing.assert_array_equal(before, after)
    loaded.check_catalog(world.public_catalog)


@pytest.mark.parametrize("slate_size", [1, 2])
@pytest.mark.parametrize(
    "make",
    [
        lambda size: EpsilonGreedy(CATALOG, size, EpsilonGreedyConfig(epsilon=0.4)),
        lambda size: LoggingPolicy(CATALOG, size, LoggingConfig(epsilon=0.2, topic_weight=1.0)),
        lambda size: LoggingPolicy(CATALOG, size, LoggingConfig(epsilon=0.0, topic_weight=1.0)),
        lambda size: RandomPolicy(5, size, CATALOG),
    ],
    ids=["epsilon-greedy", "logging", "softmax", "uniform"],
)
def test_candidates_are_chosen_by_their_numbers(make, slate_size, generator):
    """Candidates 3, none on offer, 0 and 2: what is on offer has the numbers 0, 2 and 3."""
    policy, count = make(slate_size), 20_000
    seen = {**observe(SEEN), "candidates": np.array([[3, 5, 0, 2]])}
    many = {key: np.repeat(column, count, axis=0) for key, column in seen.items()}
    action, propensity = policy.act(many, generator)
    slates = action.reshape(count, slate_size)
    orders = np.array(list(itertools.permutations([0, 2, 3], slate_size)))
    repeated = {key: np.repeat(column, len(orders), axis=0) for key, column in seen.items()}
    stated = policy.item_propensity(repeated, orders).prod(axis=1)
    assert stated.sum() == pytest.approx(1.0)
    prob = policy.item_prob(seen)[0]
    assert prob[1] == 0
    assert prob.sum() == pytest.approx(1.0)
    place = {tuple(order): number for number, order in enumerate(orders.tolist())}
    drawn = np.array([place[tuple(slate)] for slate in slates.tolist()])
    np.testing.assert_allclose(propensity, stated[drawn], rtol=1e-9)
    counts = np.bincount(drawn, minlength=len(orders))
    assert stats.chisquare(counts, stated * count).pvalue > ERROR_RATE


@pytest.mark.parametrize(
    "make",
    [
        lambda: EpsilonGreedy(CATALOG, 3, EpsilonGreedyConfig(epsilon=0.4)),
        lambda: LoggingPolicy(CATALOG, 3, LoggingConfig(epsilon=0.0)),
        lambda: RandomPolicy(5, 3, CATALOG),
    ],
    ids=["epsilon-greedy", "softmax", "uniform"],
)
def test_a_slate_beyond_what_is_on_offer_is_filled_without_chance(make, generator):
    seen = {**observe(SEEN * 200), "candidates": np.array([[5, 1, 0, 5]] * 200)}
    policy = make()
    slates, propensity = policy.act(seen, generator)
    assert all(len(set(slate)) == 3 for slate in slates.tolist())
    assert (np.sort(slates[:, :2], axis=1) == [1, 2]).all()
    np.testing.assert_allclose(policy.item_propensity(seen, slates).prod(axis=1), propensity)
    first = {int(slate[0]): value for slate, value in zip(slates, propensity, strict=True)}
    assert sum(first.values()) == pytest.approx(1.0)


def test_dated_items_are_shown_while_they_are_on_offer(generator):
    dated = CATALOG._replace(born=np.array([0, 0, 5, 0, 0]), gone=np.array([9, 9, 9, 3, 9]))
    policy = EpsilonGreedy(dated, 2, EpsilonGreedyConfig(epsilon=0.5))
    for hour, on_offer in ((0, {0, 1, 3, 4}), (6, {0, 1, 2, 4})):
        seen = {**observe(SEEN * 500), "hour": np.full((500, 1), hour)}
        slates, propensity = policy.act(seen, generator)
        assert set(slates.ravel().tolist()) == on_offer
        stated = {tuple(slate): value for slate, value in zip(slates.tolist(), propensity, strict=True)}
        assert sum(stated.values()) == pytest.approx(1.0, abs=1e-9)
