"""Acting rules: every slate of a small catalog against its stated probability, and draws against it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from agents import (
    SKNN,
    SQN,
    Acting,
    ActingConfig,
    EpsilonGreedy,
    EpsilonGreedyConfig,
    ItemKNN,
    RandomPolicy,
    RewardRates,
    SQNConfig,
    load_saved,
)
from agents.acting import RULES, draw_slates, slate_conditional

SCORE = np.array([0.3, -1.0, 0.9, 0.2, -np.inf])
AMOUNT = {"top-k": 0.0, "gumbel": 0.7, "epsilon": 0.4}
NUM_DRAWS = 20_000
ERROR_RATE = 1e-6

all_rules = pytest.mark.parametrize("rule", RULES)


def every_slate(num_slots):
    return np.array(list(itertools.permutations(range(5), num_slots)))


def rows(count, score=SCORE):
    return np.repeat(score[None], count, axis=0)


@all_rules
@pytest.mark.parametrize("num_slots", [1, 2, 3, 4])
def test_probabilities_of_all_slates_sum_to_one(rule, num_slots):
    slates = every_slate(num_slots)
    prob = slate_conditional(rule, AMOUNT[rule], rows(len(slates)), slates).prod(axis=1)
    assert prob.sum() == pytest.approx(1.0)
    assert (prob[(slates == 4).any(axis=1)] == 0).all()  # not on offer


@all_rules
def test_draws_follow_the_stated_propensity(rule, generator):
    drawn, propensity = draw_slates(rule, AMOUNT[rule], rows(NUM_DRAWS), 2, generator)
    slates = every_slate(2)
    prob = slate_conditional(rule, AMOUNT[rule], rows(len(slates)), slates).prod(axis=1)
    code = {tuple(slate): number for number, slate in enumerate(slates.tolist())}
    number = np.array([code[tuple(slate)] for slate in drawn.tolist()])
    np.testing.assert_allclose(propensity, prob[number])
    counts, possible = np.bincount(number, minlength=len(slates)), prob > 0
    assert (counts[~possible] == 0).all()
    if possible.sum() > 1:
        assert stats.chisquare(counts[possible], prob[possible] * NUM_DRAWS).pvalue > ERROR_RATE


@pytest.mark.parametrize("kind", [ItemKNN, SKNN, RewardRates])
def test_agents_without_a_network_act_by_the_rules_too(world, log, observation, kind, generator):
    agent = kind().fit(log, world.public_catalog, seed=0)
    own, best = (one.act(observation, generator) for one in (agent, Acting(agent)))
    np.testing.assert_array_equal(own.action, best.action)
    drawn = Acting(agent, ActingConfig("gumbel", 1.0))
    action, propensity = drawn.act(observation, generator)
    prob = drawn.item_prob(observation)
    np.testing.assert_allclose(prob.sum(axis=1), 1.0)
    np.testing.assert_allclose(propensity, prob[np.arange(50), action])
    assert (action != own.action).any()


def test_an_agent_without_scores_is_refused():
    with pytest.raises(TypeError, match="agent: expected one that scores what it can show, got RandomPolicy"):
        Acting(RandomPolicy(5))


def test_epsilon_slots_by_hand():
    """Best are 2 and 0, of four on offer: P(2, 0) = (0.6 + 0.1) (0.6 + 0.4 / 3)."""
    slates = np.array([[2, 0], [0, 2], [3, 1]])
    prob = slate_conditional("epsilon", 0.4, rows(3), slates).prod(axis=1)
    last = 0.6 + 0.4 / 3
    np.testing.assert_allclose(prob, [0.7 * last, 0.1 * last, 0.1 * 0.4 / 3])


def test_gumbel_by_hand():
    """Weights 4, 1 and 5: P(first, then third) = 4/10 * 5/6."""
    score = np.log([[4.0, 1.0, 5.0]]) * 0.5
    prob = slate_conditional("gumbel", 0.5, score, np.array([[0, 2]]))
    np.testing.assert_allclose(prob, [[0.4, 5 / 6]])


@all_rules
def test_slots_beyond_what_is_on_offer_are_filled_without_chance(rule, generator):
    score = np.array([[-np.inf, 0.5, -np.inf, 0.1]])
    slates, propensity = draw_slates(rule, AMOUNT[rule], np.repeat(score, 200, axis=0), 3, generator)
    assert (np.sort(slates[:, :2], axis=1) == [1, 3]).all()
    assert all(len(set(slate)) == 3 for slate in slates.tolist())
    first = {row[0]: prob for row, prob in zip(slates.tolist(), propensity, strict=True)}
    assert sum(first.values()) == pytest.approx(1.0)


def test_a_schedule_by_hand():
    config = ActingConfig("epsilon", 1.0, 0.2, 100)
    assert [config.amount_at(decision) for decision in (0, 25, 100, 1_000)] == [1.0, 0.8, 0.2, 0.2]
    assert ActingConfig("epsilon", 0.3).amount_at(10**9) == 0.3


@pytest.fixture(scope="module")
def scorer(slate_world, slate_log):
    config = SQNConfig(dim=8, epochs=0.2)
    return SQN(config).fit(slate_log, slate_world.public_catalog, seed=0)


def test_top_k_is_what_the_agent_shows(scorer, slate_observation):
    own = scorer.act(slate_observation, np.random.default_rng(0))
    ruled = Acting(scorer).act(slate_observation, np.random.default_rng(0))
    np.testing.assert_array_equal(own.action, ruled.action)
    np.testing.assert_array_equal(ruled.propensity, np.ones(50))


@all_rules
def test_acting_is_deterministic_and_saved_with_its_scorer(tmp_path, scorer, slate_observation, rule):
    schedule = () if rule == "top-k" else (0.1, 200)
    policy = Acting(scorer, ActingConfig(rule, 0.5, *schedule))
    policy.act(slate_observation, np.random.default_rng(0))
    assert policy.decisions == 50
    policy.save(tmp_path / "agent")
    loaded = load_saved(tmp_path / "agent")
    first, again = (one.act(slate_observation, np.random.default_rng(7)) for one in (policy, loaded))
    np.testing.assert_array_equal(first.action, again.action)
    np.testing.assert_array_equal(first.propensity, again.propensity)


@all_rules
def test_what_it_states_of_a_slate_is_what_it_acted_with(scorer, slate_observation, rule):
    policy = Acting(scorer, ActingConfig(rule, 0.5))
    action, propensity = policy.act(slate_observation, np.random.default_rng(0))
    stated = policy.item_propensity(slate_observation, action)
    np.testing.assert_allclose(stated.prod(axis=1), propensity)
    first = policy.item_prob(slate_observation)
    np.testing.assert_allclose(first.sum(axis=1), 1.0)
    np.testing.assert_allclose(np.take_along_axis(first, action[:, :1], axis=1), stated[:, :1])


def test_epsilon_greedy_logs_state_the_same_rule(slate_world, slate_observation):
    """The logging policy and the rule, on the same ranking."""
    policy = EpsilonGreedy(slate_world.public_catalog, 10, EpsilonGreedyConfig(epsilon=0.3))
    slates, propensity = policy.act(slate_observation, np.random.default_rng(1))
    score = np.zeros((50, 60))
    np.put_along_axis(score, policy.best(slate_observation), np.arange(10, 0, -1.0)[None], axis=1)
    stated = slate_conditional("epsilon", 0.3, score, slates).prod(axis=1)
    np.testing.assert_allclose(propensity, stated)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("best",), "rule: expected one of top-k, gumbel, epsilon, got 'best'"),
        (("gumbel", 0.0), "amount: expected a finite temperature above 0, got 0.0"),
        (("epsilon", 1.5), r"amount: expected in \[0, 1\], got 1.5"),
        (("epsilon", 0.5, 2.0, 10), r"final_amount: expected in \[0, 1\], got 2.0"),
        (("epsilon", 0.5, 0.1), "schedule_decisions: expected above 0 with a final_amount"),
        (("top-k", 0.5, 0.1, 10), "final_amount: expected None, since top-k has none"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ActingConfig(*settings)
