"""Policies of two stages: a generator draws M candidates, a ranker shows one of them."""

from __future__ import annotations

import torch
from torch import Tensor


def two_stage_log_prob(
    log_prob_t: Tensor,
    item_t: Tensor,
    ranker_t: Tensor,
    num_candidates: int,
    num_draws: int,
    generator: torch.Generator,
) -> Tensor:
    """Log-probability that an item is shown, estimated from drawn candidate sets, with gradient.

    pi(a|s) = sum over candidate sets A that hold a of p(A|s) q(a|A, s)

    p draws M candidates without replacement from the generator's softmax, q is the ranker's softmax over
    them. The other M - 1 candidates b_1, b_2, ... are drawn from p without a; given them, a is one of the M
    with probability

    c(b) = 1 - prod_{j=0}^{M-1} (1 - p(a) / (1 - p(b_1) - ... - p(b_j)))

    so c(b) q(a | {a} and b) has the mean pi(a|s) (Plackett-Luce: the order of the others does not depend on
    where a comes). The mean over draws is returned as a logarithm, and the draws' own dependence on p
    enters by their score, so that pi times the gradient of this logarithm is unbiased for the gradient of
    pi: with an uncapped weight pi / beta, `reinforce_loss` is then the two-stage correction.

    Args:
        log_prob_t: [B, N] float, the generator's log-softmax over items, with gradient.
        item_t: [B] integer, the logged item.
        ranker_t: [B, N] float, logits of the ranker; treated as constant.
        num_candidates: M in [1, N].
        num_draws: candidate sets per row.
        generator: of the CPU, source of num_draws x B x N variates.

    Returns:
        [B] float.

    Source: Ma et al. (2020), "Off-policy learning in two-stage recommender systems", section 4, for the
    policy and its gradient. The estimator is Ours: theirs takes candidates with replacement and the
    one-stage weight, and is biased.
    """
    own = item_t.long().unsqueeze(1)
    if num_candidates == 1:
        return log_prob_t.gather(1, own).squeeze(1)
    others = log_prob_t.detach().scatter(1, own, -torch.inf)
    # Of exponential clocks of rates p the first M - 1 to ring are a draw without replacement, in order.
    clock = torch.empty((num_draws, *others.shape), dtype=others.dtype).exponential_(generator=generator)
    drawn = (others - clock.log().to(others.device)).topk(num_candidates - 1, dim=2).indices  # [S, B, M - 1]
    own_prob = log_prob_t.gather(1, own).exp()  # [B, 1]
    log_prob = log_prob_t.expand(num_draws, -1, -1).gather(2, drawn)
    before = log_prob.exp().cumsum(dim=2)  # p(b_1) + ... + p(b_j), j = 1 .. M - 1
    left = (1 - torch.cat([torch.zeros_like(before[:, :, :1]), before], dim=2)).clamp(min=1e-6)
    chance = 1 - (1 - own_prob / left).clamp(min=0).prod(dim=2)  # c(b), [S, B]
    left_of_others = (left[:, :, :-1] - own_prob).clamp(min=1e-6)
    score = (log_prob - left_of_others.log()).sum(dim=2)
    members = torch.cat([own.expand(num_draws, -1, -1), drawn], dim=2)
    ranked = torch.softmax(ranker_t.detach().expand(num_draws, -1, -1).gather(2, members), dim=2)[:, :, 0]
    shown = chance * ranked * (score - score.detach()).exp()
    return shown.mean(dim=0).clamp(min=1e-30).log()
