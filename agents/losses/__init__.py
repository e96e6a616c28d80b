"""Loss functions and their ingredients: pure functions of tensors that know no environment and no network.

    supervised.py       imitate what was clicked
    value.py            temporal differences
    policy_gradient.py  policy gradients from logged decisions
    two_stage.py        policies that show the best of a few candidates
    weights.py          what a logged decision counts for another policy

Time suffixes: `_t` belongs to the decision, `_tp1` to what follows it. Rows are independent decisions, B of
them. Every loss comes back per row, [B]; the caller averages.
"""

from agents.losses.policy_gradient import (
    direct_loss,
    plackett_luce_log_prob,
    reinforce_loss,
    returns_to_go,
    self_normalized_advantage,
    softmax_entropy,
    top_k_inclusion,
    top_k_multiplier,
    variance_factor,
)
from agents.losses.supervised import (
    count_loss,
    next_item_cross_entropy,
    sampled_cross_entropy,
)
from agents.losses.two_stage import (
    two_stage_log_prob,
)
from agents.losses.value import (
    conservative_loss,
    double_q_target,
    double_q_value,
    negative_td_loss,
    sampled_advantage,
    smoothed_ratio,
    td_loss,
)
from agents.losses.weights import (
    DEFAULT_WEIGHT_CAP,
    WEIGHTINGS,
    Weighting,
    effective_share,
    importance_weights,
    weight_metrics,
)

__all__ = [
    "DEFAULT_WEIGHT_CAP",
    "WEIGHTINGS",
    "Weighting",
    "conservative_loss",
    "count_loss",
    "direct_loss",
    "double_q_target",
    "double_q_value",
    "effective_share",
    "importance_weights",
    "negative_td_loss",
    "next_item_cross_entropy",
    "plackett_luce_log_prob",
    "reinforce_loss",
    "returns_to_go",
    "sampled_advantage",
    "sampled_cross_entropy",
    "self_normalized_advantage",
    "smoothed_ratio",
    "softmax_entropy",
    "td_loss",
    "top_k_inclusion",
    "top_k_multiplier",
    "two_stage_log_prob",
    "variance_factor",
    "weight_metrics",
]
