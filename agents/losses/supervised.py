"""Losses that imitate: which item was clicked next, and how much was."""

from __future__ import annotations

import torch
from torch import Tensor


def next_item_cross_entropy(logits_t: Tensor, item_t: Tensor) -> Tensor:
    """Negative log-likelihood of the item under a softmax over all items.

    loss = log sum_a exp(l_a) - l_{item}

    Args:
        logits_t: [B, N] float.
        item_t: [B] integer in [0, N).

    Returns:
        [B] float >= 0.

    Source: Hidasi et al. (2016); the supervised part of SQN, Xin et al. (2020), eq. 1.
    """
    return torch.nn.functional.cross_entropy(logits_t, item_t.long(), reduction="none")


def sampled_cross_entropy(
    logit_t: Tensor, negative_logits_t: Tensor, is_item_t: Tensor, num_items: int
) -> Tensor:
    """The same estimated from a uniform sample of items, which stands for all of them but the clicked one.

    loss = log( exp(l_{item}) + (N - 1) / J' sum_{j != item} exp(l_j) ) - l_{item}

    J' counts the sampled items that are not the clicked one. Equal to the full loss when every other item is
    drawn once; its expectation is below it otherwise, and the gap closes as J grows.

    Args:
        logit_t: [B] float, of the item.
        negative_logits_t: [B, J] float, of items drawn uniformly.
        is_item_t: [B, J] bool, where a drawn item is the row's own; it is left out.
        num_items: N.

    Returns:
        [B] float >= 0.

    Source: Bengio and Senecal (2008), "Adaptive importance sampling to accelerate training of a neural
    probabilistic language model", with a uniform proposal; Jean et al. (2015), section 3.
    """
    drawn = (~is_item_t).sum(dim=1, keepdim=True).clamp(min=1)
    weighted = negative_logits_t + torch.log((num_items - 1) / drawn)
    weighted = weighted.masked_fill(is_item_t, -torch.inf)
    return torch.logsumexp(torch.cat([logit_t.unsqueeze(1), weighted], dim=1), dim=1) - logit_t


def count_loss(log_count_t: Tensor, count_t: Tensor) -> Tensor:
    """Half the squared error of a predicted logarithm of 1 + a number of interactions.

    loss = (log(1 + n) - prediction)^2 / 2

    Args:
        log_count_t: [B] float, predicted.
        count_t: [B] float or integer >= 0.

    Source: Silva et al. (2024) predict how many items a user interacts with; on a logarithmic scale since
    session lengths have heavy tails (Ours).
    """
    return 0.5 * (torch.log1p(count_t.to(log_count_t.dtype)) - log_count_t) ** 2
