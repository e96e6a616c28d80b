"""Closed forms of what the kernel draws: the exact probabilities and the expected reward of a slate."""

import numpy as np

from recsim_env.compiling import compiled
from recsim_env.kernel.choice import click_probs
from recsim_env.kernel.funnel import like_prob, marginal_purchase_prob
from recsim_env.kernel.reward import purchase_value


@compiled
def value_of_click(params, state, item, item_match):
    """Expected reward of an item once clicked: w_click + w_like P(like) + w_purchase price^k P(purchase)."""
    return (
        params.click
        + params.like * like_prob(params, item, item_match)
        + purchase_value(params, item) * marginal_purchase_prob(params, state, item, item_match)
    )


@compiled
def slate_expected_reward(params, items, state, slate, scratch):
    """Expected reward of a slate: sum_k P(click k) E[reward | click k].

    Args:
        params: PARAMS record; items: [N] ITEM; state: USER_STATE record; slate: [K] int64.
        scratch: SCRATCH record in which ``face_slate`` wrote the slate; ``race`` is overwritten with the
            click probabilities.

    Returns:
        float64.
    """
    click_probs(params.model, scratch.utility, scratch.examination, slate.shape[0], scratch.race)
    total = 0.0
    for k in range(slate.shape[0]):
        worth = value_of_click(params, state, items[slate[k]], scratch.match[k])
        total += np.float64(scratch.race[k]) * np.float64(worth)
    return total
