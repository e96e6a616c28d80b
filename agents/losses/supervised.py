"""Losses that imitate: which item was clicked next."""

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
