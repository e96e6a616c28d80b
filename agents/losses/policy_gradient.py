"""Losses of policies that learn from the log of another one, and their importance weights."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

DEFAULT_WEIGHT_CAP = math.exp(3.0)
"""Cap of importance weights, e^3: Chen et al. (2019), section 6.4.2."""


def importance_weights(
    log_prob_t: Tensor, log_propensity_t: Tensor, cap: float = DEFAULT_WEIGHT_CAP
) -> Tensor:
    """Capped ratio of the learned policy to the logging policy; no gradient flows through it.

    w = min(pi(a|s) / beta(a|s), cap)

    Args:
        log_prob_t: [B] float, log pi of the logged action.
        log_propensity_t: [B] float, log of the recorded propensity.
        cap: upper bound; `math.inf` for none.

    Returns:
        [B] float in [0, cap].

    Source: Chen et al. (2019), "Top-K off-policy correction for a REINFORCE recommender system", eq. 3 and
    section 4.4.
    """
    log_weight = (log_prob_t - log_propensity_t).detach()
    return torch.exp(torch.clamp(log_weight, max=math.log(cap)))


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
