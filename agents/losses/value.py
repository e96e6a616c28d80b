"""Losses that learn values of actions by temporal differences, their targets, and what is made of values."""

from __future__ import annotations

import torch
from torch import Tensor


def double_q_value(q_selector_t: Tensor, q_value_t: Tensor) -> Tensor:
    """Value of a state by double Q-learning: one network chooses the item, the other judges it.

    v = Q_value(s, argmax_a Q_selector(s, a))

    Args:
        q_selector_t, q_value_t: [B, N] float.

    Returns:
        [B] float.

    Source: van Hasselt (2010), algorithm 1.
    """
    return q_value_t.gather(1, q_selector_t.argmax(dim=1, keepdim=True)).squeeze(1)


def double_q_target(
    reward_t: Tensor, discount_tp1: Tensor, q_selector_tp1: Tensor, q_value_tp1: Tensor
) -> Tensor:
    """Double-Q learning target; no gradient flows through it.

    y = r + discount * Q_value(s', argmax_a Q_selector(s', a))

    Args:
        reward_t: [B] float.
        discount_tp1: [B] float; gamma, or 0 where the user left (a truncated session keeps gamma).
        q_selector_tp1, q_value_tp1: [B, N] float, the next state's values by the network that chooses and
            the one that judges.

    Returns:
        [B] float.

    Source: van Hasselt (2010), algorithm 1; van Hasselt et al. (2016), eq. 4.
    """
    return (reward_t + discount_tp1 * double_q_value(q_selector_tp1, q_value_tp1)).detach()


def td_loss(q_t: Tensor, target_t: Tensor) -> Tensor:
    """Half the squared temporal-difference error: (y - Q(s, a))^2 / 2.

    Args:
        q_t: any shape, value of what was shown.
        target_t: the same shape; treated as constant.

    Source: SQN, Xin et al. (2020), eq. 4, with the factor 1/2 of its authors' code (TRFL).
    """
    return 0.5 * (target_t.detach() - q_t) ** 2


def negative_td_loss(q_negative_t: Tensor, target_t: Tensor) -> Tensor:
    """TD loss of items that were not shown, summed over them.

    loss = sum_j (y - Q(s, a_j))^2 / 2

    Args:
        q_negative_t: [B, J] float.
        target_t: [B] float, in SNQN 0 + gamma * value of the same state s; treated as constant.

    Returns:
        [B] float.

    Source: SNQN, Xin et al. (2022), "Supervised advantage actor-critic for recommender systems", eq. 5; the
    sum over negatives is that of its authors' code.
    """
    return td_loss(q_negative_t, target_t.unsqueeze(1).expand_as(q_negative_t)).sum(dim=1)


def sampled_advantage(q_t: Tensor, q_negative_t: Tensor, cap: float = 10.0) -> Tensor:
    """How much better an item is than the mean of itself and sampled others; no gradient flows through it.

    A = clip( Q(s, a) - mean_{b in {a} + negatives} Q(s, b), 0, cap )

    Args:
        q_t: [B] float.
        q_negative_t: [B, J] float.
        cap: upper bound.

    Returns:
        [B] float in [0, cap].

    Source: SA2C, Xin et al. (2022), eq. 7; the bounds 0 and 10 are those of its authors' code.
    """
    mean = torch.cat([q_t.unsqueeze(1), q_negative_t], dim=1).mean(dim=1)
    return (q_t - mean).clamp(0.0, cap).detach()


def smoothed_ratio(log_prob_t: Tensor, log_propensity_t: Tensor, smoothing: float) -> Tensor:
    """Ratio of the learned policy to the logging policy, bounded and flattened; no gradient flows through it.

    w = clip(pi(a|s) / beta(a|s), 0.1, 10)^smoothing

    Args:
        log_prob_t: [B] float, log pi of the logged action.
        log_propensity_t: [B] float, log of the recorded propensity.
        smoothing: in [0, 1]; 0 gives ones, no correction.

    Returns:
        [B] float.

    Source: SA2C, Xin et al. (2022), section 3.4; the bounds are those of its authors' code.
    """
    ratio = (log_prob_t - log_propensity_t).exp().clamp(0.1, 10.0)
    return (ratio**smoothing).detach()


def conservative_loss(q_all_t: Tensor, q_t: Tensor) -> Tensor:
    """How far the values of all items, smoothly maximised, stand above that of the logged one.

    loss = log sum_a exp Q(s, a) - Q(s, a_logged)

    Args:
        q_all_t: [B, N] float.
        q_t: [B] float, value of the logged item; it is one of the N.

    Returns:
        [B] float >= 0.

    Source: Kumar et al. (2020), "Conservative Q-learning for offline reinforcement learning", eq. 4 (CQL(H)).
    """
    return torch.logsumexp(q_all_t, dim=1) - q_t
