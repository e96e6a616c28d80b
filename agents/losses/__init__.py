"""Loss functions and their ingredients: pure functions of tensors that know no environment and no network.

    supervised.py       imitate what was clicked
    value.py            temporal differences
    policy_gradient.py  importance-weighted policy gradients

Time suffixes: `_t` belongs to the decision, `_tp1` to what follows it. Rows are independent decisions, B of
them. Every loss comes back per row, [B]; the caller averages.
"""

from agents.losses.policy_gradient import (
    DEFAULT_WEIGHT_CAP,
    importance_weights,
    plackett_luce_log_prob,
    reinforce_loss,
    returns_to_go,
    softmax_entropy,
)
from agents.losses.supervised import count_loss, next_item_cross_entropy, sampled_cross_entropy
from agents.losses.value import (
    conservative_loss,
    double_q_target,
    double_q_value,
    negative_td_loss,
    sampled_advantage,
    smoothed_ratio,
    td_loss,
)

__all__ = [
    "DEFAULT_WEIGHT_CAP",
    "conservative_loss",
    "count_loss",
    "double_q_target",
    "double_q_value",
    "importance_weights",
    "negative_td_loss",
    "next_item_cross_entropy",
    "plackett_luce_log_prob",
    "reinforce_loss",
    "returns_to_go",
    "sampled_advantage",
    "sampled_cross_entropy",
    "smoothed_ratio",
    "softmax_entropy",
    "td_loss",
]
