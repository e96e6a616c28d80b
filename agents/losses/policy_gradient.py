"""Losses of policies that learn from another one's log, given the importance weights of its decisions."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def reinforce_loss(log_prob_t: Tensor, advantage_t: Tensor, weight_t: Tensor) -> Tensor:
    """Off-policy REINFORCE: its gradient is the negative of the weighted score-function estimate.

    loss = -w * A * log pi(a|s)

    Args:
        log_prob_t: [B] float, log pi of the logged action, with gradient.
        advantage_t: [B] float, return-to-go, minus a baseline or not; treated as constant.
        weight_t: [B] float, `importance_weights`, or ones for no correction; treated as constant.

    Returns:
        [B] float.

    Source: Williams (1992); Chen et al. (2019), eq. 3.
    """
    return -(weight_t * advantage_t).detach() * log_prob_t


def self_normalized_advantage(advantage_t: Tensor, weight_t: Tensor) -> Tensor:
    """Advantage minus its own weighted mean: with it, REINFORCE follows the gradient of the SNIPS estimate.

    V = sum_i w_i A_i / sum_i w_i;   grad V = sum_i (w_i / sum_j w_j) (A_i - V) grad log pi_i

    Dividing the weights alone gives the first term only, so that adding a constant to every reward would
    change what is learned.

    Args:
        advantage_t: [B] float.
        weight_t: [B] float >= 0, in any scale.

    Returns:
        [B] float.

    Source: Swaminathan and Joachims (2015), "The self-normalized estimator for counterfactual learning",
    eq. 8, differentiated.
    """
    return advantage_t - (weight_t * advantage_t).sum() / weight_t.sum().clamp(min=1e-30)


def variance_factor(gain_t: Tensor, penalty: float) -> Tensor:
    """What each row's gradient is multiplied by so that estimates of high variance are worth less.

    maximise  m - penalty sqrt(V / B),   m, V = mean and unbiased variance of the gains over the rows
    factor_i = B d/dg_i = 1 - penalty sqrt(B) (g_i - m) / ((B - 1) sqrt(V))

    A lone row that gains has a factor of 1 - penalty.

    Args:
        gain_t: [B] float, weight times advantage.
        penalty: at least 0.

    Returns:
        [B] float, of mean 1; no gradient flows through it.

    Source: POEM, Swaminathan and Joachims (2015), "Counterfactual risk minimization", eq. 8; there over the
    whole log, here over a minibatch, whose standard error is larger.
    """
    gain_t = gain_t.detach()
    num_rows = len(gain_t)
    if num_rows < 2:
        return torch.ones_like(gain_t)
    spread = gain_t.std().clamp(min=1e-12)
    return 1 - penalty * num_rows**0.5 * (gain_t - gain_t.mean()) / ((num_rows - 1) * spread)


def direct_loss(log_prob_t: Tensor, value_t: Tensor, num_slots: int = 1) -> Tensor:
    """Negative value of the policy under a reward model: the first half of the doubly robust loss.

    loss = -sum_a alpha(a|s) q(s, a);   alpha = pi for one slot, else `top_k_inclusion`

    The other half is `reinforce_loss` with the residual G - q(s, a) of the logged action as the advantage:
    their sum is unbiased where the weights are right, or where the model is.

    Args:
        log_prob_t: [B, N] float, log-softmax over items, with gradient.
        value_t: [B, N] float, predicted reward of every item; treated as constant.
        num_slots: K.

    Returns:
        [B] float.

    Source: Dudik, Langford and Li (2011), "Doubly robust policy evaluation and learning", eq. 2.
    """
    return -(top_k_inclusion(log_prob_t.exp(), num_slots) * value_t.detach()).sum(dim=1)


def top_k_inclusion(prob: Tensor, num_slots: int) -> Tensor:
    """Probability that an item is among K independent draws, 1 - (1 - pi)^K: any shape.

    Source: Chen et al. (2019), section 4.3.
    """
    return prob if num_slots == 1 else 1 - (1 - prob) ** num_slots


def top_k_multiplier(log_prob_t: Tensor, num_slots: int) -> Tensor:
    """What a weight is multiplied by where K items are shown: d alpha / d pi = K (1 - pi)^(K - 1).

    An item that is already sure of a slot is not pushed further, so that the second best learns too.

    Args:
        log_prob_t: [B] float, log pi of the logged item.
        num_slots: K >= 1.

    Returns:
        [B] float in [0, K]; no gradient flows through it.

    Source: Chen et al. (2019), eq. 6.
    """
    return num_slots * (1 - log_prob_t.detach().exp()) ** (num_slots - 1)


def plackett_luce_log_prob(log_prob_t: Tensor, slate_t: Tensor) -> Tensor:
    """Log-probability of an ordered slate drawn slot by slot, without replacement, from a softmax policy.

    log pi(A|s) = sum_k [ log pi(a_k|s) - log(1 - sum_{j<k} pi(a_j|s)) ];  for K = 1 simply log pi(a|s)

    Args:
        log_prob_t: [B, N] float, log-softmax over items.
        slate_t: [B, K] integer, distinct per row.

    Returns:
        [B] float <= 0.

    Source: Plackett (1975), "The analysis of permutations".
    """
    shown = log_prob_t.gather(1, slate_t.long())
    prob = shown.exp()
    taken = (prob.cumsum(dim=1) - prob).clamp(max=1 - 1e-6)
    return (shown - torch.log1p(-taken)).sum(dim=1)


def softmax_entropy(logits_t: Tensor) -> Tensor:
    """Entropy of the softmax policy in nats: [B, N] -> [B] in [0, log N]."""
    log_prob = torch.log_softmax(logits_t, dim=1)
    return -(log_prob.exp() * log_prob).sum(dim=1)


def returns_to_go(reward: NDArray[np.floating], last: NDArray[np.bool_], gamma: float) -> NDArray[np.float64]:
    """Discounted sum of rewards from each row to the end of its session.

    G_t = r_t + gamma * G_{t+1}, with G = 0 after a row where `last`.

    Args:
        reward: [n] float, rows of a session in order, sessions one after another.
        last: [n] bool, True on the last row of each session.
        gamma: discount in [0, 1].

    Returns:
        [n] float64.

    Source: Sutton and Barto (2018), eq. 3.9.
    """
    if len(reward) and not last[-1]:
        raise ValueError(f"last: expected True on the final row {len(last) - 1}, got False")
    result = np.asarray(reward, dtype=np.float64).copy()
    # One pass per step of the longest session: row t of every session still running is closed by its row t
    # + 1.
    end = np.flatnonzero(last)
    start = np.concatenate([[0], end[:-1] + 1]).astype(np.int64) if len(end) else end
    row = end - 1
    running = row >= start
    while running.any():
        row, start = row[running], start[running]
        result[row] += gamma * result[row + 1]
        row = row - 1
        running = row >= start
    return result
