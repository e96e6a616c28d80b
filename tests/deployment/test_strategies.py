"""Strategies: by hand, against closed forms, and the same in company as alone."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from recsim_env.deployment import (
    PAPER,
    STRATEGIES,
    UCB,
    ABTest,
    Discounted,
    EpsilonGreedy,
    LikelihoodRatio,
    PerSegment,
    Restarting,
    Sliding,
    Thompson,
    make_strategy,
)
from recsim_env.deployment.strategies import filled_bounds

LUCK = np.random.default_rng(0)


def moments(*arms):
    """[3, 1, A] of one run: (count, rate) of each arm, conversions."""
    count = np.array([[n for n, _ in arms]], float)
    total = np.array([[n * rate for n, rate in arms]])
    return np.stack([count, total, total])


def started(strategy, num_arms, num_runs=1, estimates=None):
    strategy.start(num_runs)
    for arm in range(num_arms):
        strategy.admit(None if estimates is None else estimates[arm])
    return strategy


def live(*arms):
    return np.array([arms], bool)


def test_naive_serves_the_newest_arm_that_is_there():
    strategy = started(make_strategy("naive"), 3)
    assert strategy.shares(live(1, 1, 1), LUCK).tolist() == [[0, 0, 1]]
    assert strategy.shares(live(1, 1, 0), LUCK).tolist() == [[0, 1, 0]]


def test_validation_serves_the_best_estimate_and_shuns_arms_without_one():
    strategy = started(make_strategy("validation"), 3, estimates=[0.3, 0.5, None])
    assert strategy.shares(live(1, 1, 1), LUCK).tolist() == [[0, 1, 0]]
    assert strategy.shares(live(1, 0, 1), LUCK).tolist() == [[1, 0, 0]]


def test_epsilon_greedy_by_hand():
    strategy = started(EpsilonGreedy(0.3), 3)
    assert strategy.shares(live(1, 1, 1), LUCK)[0] == pytest.approx([1 / 3] * 3)
    strategy.update(moments((10, 0.1), (10, 0.4), (10, 0.2)))
    assert strategy.shares(live(1, 1, 1), LUCK)[0] == pytest.approx([0.1, 0.8, 0.1])
    assert strategy.shares(live(1, 0, 1), LUCK)[0] == pytest.approx([0.15, 0, 0.85])


def test_upper_confidence_bounds_by_hand():
    # Pooled variance: (100 * 0.5 * 0.5 + 4 * 0.25 * 0.75) / 104; bounds 0.5 + 0.149 and 0.25 + 0.747.
    # The second arm's bound is the higher one, and comes down to the first's after 10.26 requests.
    strategy = started(UCB(), 2)
    strategy.update(moments((100, 0.5), (4, 0.25)))
    spread = 2 * (25 + 0.75) / 104 * math.log(104)
    assert 0.25 + math.sqrt(spread / 4) > 0.5 + math.sqrt(spread / 100)
    first = spread / (0.5 - 0.25 + math.sqrt(spread / 100)) ** 2 - 4
    assert first == pytest.approx(10.26, abs=0.01)
    strategy.batch_size[:] = first
    assert strategy.shares(live(1, 1), LUCK)[0] == pytest.approx([0, 1], abs=1e-9)
    strategy.batch_size[:] = 2 * first
    assert 0.5 < strategy.shares(live(1, 1), LUCK)[0, 1] < 1
    strategy.update(moments((0, 0), (96, 0.25)))
    strategy.batch_size[:] = 1
    assert strategy.shares(live(1, 1), LUCK)[0] == pytest.approx([1, 0], abs=1e-9)


def test_a_batch_is_shared_as_if_its_requests_came_one_by_one():
    generator = np.random.default_rng(0)
    for size in (1, 7, 1_000):
        mean, count = generator.random((5, 4)), generator.integers(1, 400, (5, 4)).astype(float)
        count[0, 2] = np.inf
        spread = generator.random(5) * 3
        shares = filled_bounds(mean, spread, count, np.full(5, float(size)))
        for run in range(5):
            given = np.zeros(4)
            for _ in range(size):
                bound = mean[run] + np.sqrt(spread[run] / (count[run] + given))
                bound[np.isinf(count[run])] = -np.inf
                given[bound.argmax()] += 1
            assert np.abs(shares[run] * size - given).max() <= 1.5
        assert shares.sum(axis=1) == pytest.approx(1)
        assert shares[0, 2] == 0


def test_without_spread_the_best_mean_gets_the_batch():
    shares = filled_bounds(np.array([[0.1, 0.3]]), np.zeros(1), np.full((1, 2), 50.0), np.full(1, 100.0))
    assert shares[0] == pytest.approx([0, 1], abs=1e-6)


def test_an_arm_without_responses_is_tried_first():
    for strategy in (UCB(), EpsilonGreedy(0.0)):
        started(strategy, 2).update(moments((100, 0.9), (0, 0.0)))
        assert strategy.shares(live(1, 1), LUCK).tolist() == [[0, 1]]


def test_thompson_matches_the_probability_of_being_the_best():
    strategy = started(Thompson(draws=20_000), 2)
    strategy.update(moments((200, 0.30), (100, 0.34)))
    variance = (200 * 0.3 * 0.7 + 100 * 0.34 * 0.66) / 300
    overall = (60 + 34) / 300
    gap = (34 + overall) / 101 - (60 + overall) / 201
    expected = NormalDist().cdf(gap / math.sqrt(variance / 101 + variance / 201))
    assert strategy.shares(live(1, 1), LUCK)[0, 1] == pytest.approx(expected, abs=0.015)


def test_the_ab_test_needs_what_the_textbook_says_and_commits():
    strategy = started(ABTest(effect=0.5, level=0.05, power=0.8), 2)
    assert strategy.responses(np.array([2]))[0] == pytest.approx(
        2 * ((1.95996 + 0.84162) / 0.5) ** 2, rel=1e-4
    )
    assert strategy.shares(live(1, 1), LUCK).tolist() == [[0.5, 0.5]]
    strategy.update(moments((60, 0.2), (60, 0.6)))
    assert strategy.shares(live(1, 1), LUCK).tolist() == [[0.5, 0.5]]  # 62.8 were needed
    strategy.update(moments((3, 0.2), (3, 0.6)))
    assert strategy.shares(live(1, 1), LUCK).tolist() == [[0, 1]]
    strategy.update(moments((500, 0.9), (500, 0.1)))
    assert strategy.shares(live(1, 1), LUCK).tolist() == [[0, 1]]  # for good


def test_the_ab_test_keeps_the_control_without_a_significant_winner_and_tests_a_new_arm():
    strategy = started(ABTest(effect=0.5), 2)
    strategy.shares(live(1, 1), LUCK)
    strategy.update(moments((100, 0.40), (100, 0.45)))
    assert strategy.shares(live(1, 1), LUCK).tolist() == [[1, 0]]
    strategy.admit(None)
    assert strategy.shares(live(1, 1, 1), LUCK)[0] == pytest.approx([1 / 3] * 3)


def test_memories_by_hand():
    half, window = Discounted(1, half_life=1.0), Sliding(1, 2)
    for memory in (half, window):
        memory.grow()
        for count in (8, 4, 2):
            memory.add(moments((count, 0.5)))
    assert half.sums[0, 0, 0] == 2 + 4 / 2 + 8 / 4
    assert window.sums[0, 0, 0] == 4 + 2
    window.grow()
    window.add(moments((1, 0.5), (7, 0.5)))
    assert window.sums[0, 0].tolist() == [3, 7]
    window.restart(np.array([True]), moments((1, 1.0), (2, 1.0)))
    window.add(moments((10, 0.5), (10, 0.5)))
    assert window.sums[0, 0].tolist() == [11, 12]


@pytest.mark.parametrize("name", [name for name in STRATEGIES if "thompson" not in name])
def test_runs_side_by_side_are_each_as_alone(name):
    luck = np.random.default_rng(1000)
    size = np.full((30, 4, 3), 200)
    rates = np.where(np.arange(30)[:, None, None] < 15, [0.1, 0.2, 0.3], [0.5, 0.2, 0.1])
    total = luck.binomial(size, np.broadcast_to(rates, size.shape))
    batches = np.stack([size, total, total], axis=1).astype(float)
    together = started(make_strategy(name), 3, 4, [0.1, 0.3, 0.2])
    alone = started(make_strategy(name), 3, 1, [0.1, 0.3, 0.2])
    for batch in batches:
        shares = together.shares(np.ones((4, 3), bool), LUCK)
        assert shares.sum(axis=1) == pytest.approx(1)
        assert (alone.shares(np.ones((1, 3), bool), LUCK)[0] == shares[2]).all()
        together.update(batch)
        alone.update(batch[:, 2:3])


@pytest.mark.parametrize("name", STRATEGIES)
def test_an_arm_that_is_not_live_gets_nothing(name):
    strategy = started(make_strategy(name), 3, 2, [0.1, 0.9, 0.2])
    alive = np.array([[True, False, True], [True, True, False]])
    for _ in range(3):
        shares = strategy.shares(alive, LUCK)
        assert (shares[~alive] == 0).all()
        assert shares.sum(axis=1) == pytest.approx(1)
        strategy.update(np.repeat(moments((50, 0.1), (50, 0.9), (50, 0.2)), 2, axis=1))


def test_a_detector_makes_a_strategy_forget_what_was_before_the_change():
    strategy = started(Restarting(UCB(), LikelihoodRatio()), 2)
    for batch in range(40):
        rates = (0.1, 0.3) if batch < 30 else (0.1, 0.05)
        strategy.update(moments((100, rates[0]), (100, rates[1])))
        if strategy.changed[0]:
            break
    assert 30 <= batch <= 33
    assert strategy.inner.memory.sums[0, 0].tolist() == [100 * (batch - 29)] * 2
    assert strategy.shares(live(1, 1), LUCK).tolist() == [[1, 0]]


def test_the_papers_six_have_its_names():
    assert list(PAPER) == ["naive", "validation", "ab_test", "epsilon_greedy", "ucb", "thompson"]


def test_unknown_strategies_are_named_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'thompson'"):
        make_strategy("thomson")


def test_segments_are_runs_of_their_own():
    strategy = started(PerSegment(EpsilonGreedy(0.0)), 2, 2)  # one run of two segments
    strategy.update(np.concatenate([moments((9, 0.1), (9, 0.4)), moments((9, 0.4), (9, 0.1))], axis=1))
    assert strategy.shares(np.ones((2, 2), bool), LUCK).tolist() == [[0, 1], [1, 0]]
