"""The losses of value learners on examples of three items, worked out by hand.

One user, three items; r = 0.2, gamma = 0.5:

    Q of the trained copy at s    (1.0, 2.0, 0.0)      Q of the other copy at s    (0.4, 0.6, 3.0)
    Q of the trained copy at s'   (0.0, 1.0, 4.0)      Q of the other copy at s'   (5.0, 5.0, 0.8)

The log shows item 0; item 2 is the negative.
"""

from __future__ import annotations

import math

import pytest
import torch

from agents.losses import (
    conservative_loss,
    count_loss,
    double_q_target,
    double_q_value,
    negative_td_loss,
    next_item_cross_entropy,
    sampled_advantage,
    sampled_cross_entropy,
    smoothed_ratio,
    td_loss,
)

MAIN_T, OTHER_T = torch.tensor([[1.0, 2.0, 0.0]]), torch.tensor([[0.4, 0.6, 3.0]])
MAIN_TP1, OTHER_TP1 = torch.tensor([[0.0, 1.0, 4.0]]), torch.tensor([[5.0, 5.0, 0.8]])
REWARD, DISCOUNT = torch.tensor([0.2]), torch.tensor([0.5])


def test_sqn():
    """The trained copy chooses item 2 at s', the other judges it: 0.2 + 0.5 * 0.8 = 0.6.

    TD: (0.6 - 1.0)^2 / 2 = 0.08. CE of equal logits: log 3.
    """
    target = double_q_target(REWARD, DISCOUNT, MAIN_TP1, OTHER_TP1)
    assert target.item() == pytest.approx(0.6)
    assert td_loss(MAIN_T[:, 0], target).item() == pytest.approx(0.08)
    assert next_item_cross_entropy(torch.zeros(1, 3), torch.tensor([0])).item() == pytest.approx(math.log(3))


def test_snqn():
    """At s itself the trained copy chooses item 1, which the other judges at 0.6: the target is 0.5 * 0.6.

    Negatives 2 and 1:  (0.3 - 0.0)^2 / 2 + (0.3 - 2.0)^2 / 2 = 0.045 + 1.445 = 1.49, a sum and not a mean.
    """
    target = 0.5 * double_q_value(MAIN_T, OTHER_T)
    assert target.item() == pytest.approx(0.3)
    q_negative = MAIN_T[:, [2, 1]].clone().requires_grad_(True)
    loss = negative_td_loss(q_negative, target)
    assert loss.tolist() == pytest.approx([1.49])
    loss.sum().backward()
    # d/dq (y - q)^2 / 2 = q - y: 0.0 - 0.3 and 2.0 - 0.3
    assert q_negative.grad.tolist() == [pytest.approx([-0.3, 1.7])]


@pytest.mark.parametrize(
    ("q", "negatives", "advantage"),
    [
        (1.0, [0.0, 0.5], 0.5),  # 1 - (1 + 0 + 0.5) / 3
        (1.0, [2.0, 3.0], 0.0),  # 1 - (1 + 2 + 3) / 3 = -1, clipped
        (40.0, [1.0, 1.0], 10.0),  # 40 - (40 + 1 + 1) / 3 = 26, clipped
    ],
)
def test_sa2c_advantage(q, negatives, advantage):
    q_t = torch.tensor([q], requires_grad=True)
    found = sampled_advantage(q_t, torch.tensor([negatives]))
    assert found.item() == pytest.approx(advantage)
    assert not found.requires_grad


def test_sa2c_smoothing():
    """Pi / beta = 0.5 / 0.125 = 4, its root 2; 0.001 / 0.5 is raised to 0.1; 0.9 / 0.001 lowered to 10."""
    prob, propensity = torch.tensor([0.5, 0.001, 0.9]), torch.tensor([0.125, 0.5, 0.001])
    ratio = [smoothed_ratio(prob.log(), propensity.log(), smoothing) for smoothing in (0.5, 1.0, 0.0)]
    assert ratio[0].tolist() == pytest.approx([2.0, math.sqrt(0.1), math.sqrt(10)], rel=1e-5)
    assert ratio[1].tolist() == pytest.approx([4.0, 0.1, 10.0], rel=1e-5)
    assert ratio[2].tolist() == [1.0, 1.0, 1.0]


def test_cql():
    """Values log 1, log 2, log 5: log(1 + 2 + 5) - log 2 = log 4; its gradient is softmax minus one-hot."""
    q = torch.log(torch.tensor([[1.0, 2.0, 5.0]])).requires_grad_(True)
    loss = conservative_loss(q, q[:, 1])
    assert loss.item() == pytest.approx(math.log(4))
    loss.sum().backward()
    assert q.grad.tolist() == [pytest.approx([1 / 8, 2 / 8 - 1, 5 / 8])]


def test_count():
    """A prediction of log 2 for e - 1 clicks: (log(1 + e - 1) - log 2)^2 / 2 = (1 - 0.693147)^2 / 2."""
    loss = count_loss(torch.tensor([math.log(2), 0.0]), torch.tensor([math.e - 1, 0.0]))
    assert loss.tolist() == pytest.approx([0.0470793, 0.0], abs=1e-6)


def test_sampled_cross_entropy_of_every_other_item_is_the_full_one():
    logits = torch.tensor([[0.3, -1.0, 2.0], [1.0, 0.0, 0.5]])
    item, every = torch.tensor([1, 2]), torch.tensor([0, 1, 2])
    loss = sampled_cross_entropy(
        logits.gather(1, item.unsqueeze(1)).squeeze(1), logits[:, every], every == item.unsqueeze(1), 3
    )
    torch.testing.assert_close(loss, next_item_cross_entropy(logits, item))


def test_sampled_cross_entropy_by_hand():
    """Logits log 1 (clicked), log 2, log 5, log 7 of N = 4 items; drawn: item 1 twice, and the clicked one.

    The two draws of item 1 stand for the three others: log(1 + 3 / 2 * (2 + 2)) - log 1 = log 7.
    """
    loss = sampled_cross_entropy(
        torch.zeros(1), torch.log(torch.tensor([[2.0, 1.0, 2.0]])), torch.tensor([[False, True, False]]), 4
    )
    assert loss.item() == pytest.approx(math.log(7))


def test_sampled_cross_entropy_comes_close_to_the_full_one():
    """Averaged over draws, and from below (Jensen); the gap is of the order of 1 / J."""
    draw = torch.Generator().manual_seed(0)
    logits, item = torch.randn(1, 1_000, generator=draw), torch.tensor([3])
    full = next_item_cross_entropy(logits, item).item()
    means = []
    for size in (20, 500):
        drawn = torch.randint(1_000, (4_000, size), generator=draw)
        loss = sampled_cross_entropy(logits[:, 3].expand(4_000), logits[0][drawn], drawn == 3, 1_000)
        means.append(loss.mean().item())
        # Variance of a mean of exponentials of standard normals: (e - 1) e / (e J), half of it the gap.
        gap = (math.e - 1) / size / 2
        error = loss.std().item() / math.sqrt(4_000)
        assert means[-1] == pytest.approx(full - gap, abs=0.35 * gap + 4 * error)
    assert means[0] < means[1] < full + 0.002
