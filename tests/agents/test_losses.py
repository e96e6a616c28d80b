"""Losses against values computed by hand, against finite differences, and on the published off-policy toy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agents.losses import (
    DEFAULT_WEIGHT_CAP,
    double_q_target,
    importance_weights,
    next_item_cross_entropy,
    plackett_luce_log_prob,
    reinforce_loss,
    returns_to_go,
    softmax_entropy,
    td_loss,
)


def numerical_gradient(function, point, width=1e-6):
    """Central differences of a scalar function at a float64 tensor."""
    gradient = torch.zeros_like(point)
    for index in itertools.product(*map(range, point.shape)):
        for sign in (1, -1):
            moved = point.clone()
            moved[index] += sign * width
            gradient[index] += sign * function(moved) / (2 * width)
    return gradient


def gradient_of(function, point):
    point = point.clone().requires_grad_(True)
    function(point).backward()
    return point.grad


def test_next_item_cross_entropy_by_hand():
    logits = torch.log(torch.tensor([[1.0, 2.0, 1.0], [1.0, 1.0, 8.0]]))
    loss = next_item_cross_entropy(logits, torch.tensor([1, 0]))
    assert loss.tolist() == pytest.approx([math.log(2), math.log(10)], rel=1e-6)


def test_double_q_target_by_hand():
    selector = torch.tensor([[0.0, 3.0, 1.0], [5.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    judge = torch.tensor([[9.0, 2.0, 9.0], [4.0, 9.0, 9.0], [7.0, 7.0, 6.0]])
    reward = torch.tensor([1.0, 0.0, 0.2])
    # The second user left: nothing follows.
    target = double_q_target(reward, torch.tensor([0.5, 0.0, 0.5]), selector, judge)
    assert target.tolist() == pytest.approx([1.0 + 0.5 * 2.0, 0.0, 0.2 + 0.5 * 6.0])


def test_td_loss_by_hand_and_no_gradient_through_the_target():
    q, target = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, 2.0], requires_grad=True)
    loss = td_loss(q, target)
    assert loss.tolist() == [2.0, 0.0]
    loss.sum().backward()
    assert q.grad.tolist() == [-2.0, 0.0]
    assert target.grad is None


def test_importance_weights_by_hand():
    prob, propensity = torch.tensor([0.5, 0.9, 0.01]), torch.tensor([0.25, 0.001, 0.1])
    weight = importance_weights(prob.log(), propensity.log())
    assert weight.tolist() == pytest.approx([2.0, math.exp(3), 0.1], rel=1e-5)
    uncapped = importance_weights(prob.log(), propensity.log(), cap=math.inf)
    assert uncapped.tolist() == pytest.approx([2.0, 900.0, 0.1], rel=1e-5)
    assert math.exp(3) == DEFAULT_WEIGHT_CAP


def test_plackett_luce_by_hand():
    log_prob = torch.log(torch.tensor([[0.5, 0.3, 0.2]], dtype=torch.float64))
    assert plackett_luce_log_prob(log_prob, torch.tensor([[1]])).exp().item() == pytest.approx(0.3)
    assert plackett_luce_log_prob(log_prob, torch.tensor([[0, 2]])).exp().item() == pytest.approx(
        0.5 * 0.2 / 0.5
    )
    orders = torch.tensor(list(itertools.permutations(range(3))))
    total = plackett_luce_log_prob(log_prob.expand(len(orders), -1), orders).exp().sum()
    assert total.item() == pytest.approx(1.0)


def test_softmax_entropy_by_hand():
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [1.0, 1.0, 1.0]]))
    assert softmax_entropy(logits).tolist() == pytest.approx([1.5 * math.log(2), math.log(3)])


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: next_item_cross_entropy(x, torch.tensor([2, 0])).sum(),
        lambda x: plackett_luce_log_prob(torch.log_softmax(x, 1), torch.tensor([[2, 0], [1, 3]])).sum(),
        lambda x: softmax_entropy(x).sum(),
        lambda x: td_loss(x, torch.ones(2, 4, dtype=torch.float64)).sum(),
        lambda x: reinforce_loss(
            torch.log_softmax(x, 1)[:, 1],
            torch.tensor([0.7, -0.3]).double(),
            torch.tensor([2.0, 0.5]).double(),
        ).sum(),
    ],
    ids=["next_item", "plackett_luce", "entropy", "td", "reinforce"],
)
def test_gradients_match_finite_differences(loss):
    point = torch.randn(2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(
        gradient_of(loss, point), numerical_gradient(loss, point), rtol=1e-5, atol=1e-7
    )


def test_the_weighted_score_function_is_the_policy_gradient():
    """Summed over the logging policy, uncapped weights give exactly the gradient of the expected reward."""
    draw = torch.Generator().manual_seed(5)
    logits = torch.randn(6, dtype=torch.float64, generator=draw)
    reward = torch.rand(6, dtype=torch.float64, generator=draw)
    behaviour = torch.softmax(torch.randn(6, dtype=torch.float64, generator=draw), 0)

    def surrogate(x):
        log_prob = torch.log_softmax(x, 0)
        weight = importance_weights(log_prob, behaviour.log(), cap=math.inf)
        return (behaviour * reinforce_loss(log_prob, reward, weight)).sum()

    expected = gradient_of(lambda x: -(torch.softmax(x, 0) * reward).sum(), logits)
    torch.testing.assert_close(gradient_of(surrogate, logits), expected)


REWARD = torch.arange(1.0, 11.0, dtype=torch.float64)
BEHAVIOUR = (11 - REWARD) / 55


def train_toy(corrected, cap, num_updates=1_500):
    """Chen et al. (2019), section 6.2: ten items, reward i, logged with probability (11 - i) / 55.

    The expectation over the log is exact, so the only randomness is gone.
    """
    logits = torch.zeros(10, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.05)
    for _ in range(num_updates):
        log_prob = torch.log_softmax(logits, 0)
        weight = (
            importance_weights(log_prob, BEHAVIOUR.log(), cap) if corrected else torch.ones_like(log_prob)
        )
        loss = (BEHAVIOUR * reinforce_loss(log_prob, REWARD, weight)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.softmax(logits.detach(), 0)


def test_off_policy_toy_uncorrected_learns_the_log():
    expected = REWARD * BEHAVIOUR / (REWARD * BEHAVIOUR).sum()
    torch.testing.assert_close(train_toy(False, math.inf), expected, rtol=0, atol=1e-3)


def test_off_policy_toy_corrected_finds_the_best_item():
    assert train_toy(True, math.inf)[9].item() > 0.99


def test_off_policy_toy_the_cap_has_a_price():
    """A capped weight on the best item stops short of it.

    With only items 9 and 10 left, the gradient is 0 where cap * beta_10 * r_10 = pi_10 * r_9.
    """
    cap = DEFAULT_WEIGHT_CAP
    stop = cap * BEHAVIOUR[9].item() * 10 / 9
    assert stop == pytest.approx(0.406, abs=0.001)
    assert train_toy(True, cap)[9].item() == pytest.approx(stop, abs=0.003)


def test_returns_to_go_by_hand():
    reward = np.array([1.0, 2.0, 4.0, 8.0, 1.0])
    last = np.array([False, False, True, True, True])
    assert returns_to_go(reward, last, 0.5).tolist() == [1 + 1 + 1, 2 + 2, 4, 8, 1]
    assert returns_to_go(reward, last, 0.0).tolist() == reward.tolist()
    assert returns_to_go(np.zeros(0), np.zeros(0, bool), 0.5).tolist() == []


def test_returns_to_go_refuses_an_open_end():
    with pytest.raises(ValueError, match="final row 1"):
        returns_to_go(np.ones(2), np.array([True, False]), 0.5)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), st.floats(0, 1), st.integers(0, 2**32))
def test_returns_to_go_is_the_backward_recursion(lengths, gamma, seed):
    reward = np.random.default_rng(seed).normal(size=sum(lengths))
    last = np.concatenate([[False] * (length - 1) + [True] for length in lengths])
    expected, following = np.zeros_like(reward), 0.0
    for row in reversed(range(len(reward))):
        following = reward[row] + (0.0 if last[row] else gamma * following)
        expected[row] = following
    np.testing.assert_allclose(returns_to_go(reward, last, gamma), expected, rtol=1e-12, atol=1e-12)
