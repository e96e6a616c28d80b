"""Losses that learn values of actions by temporal differences, and their targets."""

from __future__ import annotations

from torch import Tensor


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
    action_tp1 = q_selector_tp1.argmax(dim=1, keepdim=True)
    return (reward_t + discount_tp1 * q_value_tp1.gather(1, action_tp1).squeeze(1)).detach()


def td_loss(q_t: Tensor, target_t: Tensor) -> Tensor:
    """Half the squared temporal-difference error: (y - Q(s, a))^2 / 2.

    Args:
        q_t: any shape, value of what was shown.
        target_t: the same shape; treated as constant.

    Source: SQN, Xin et al. (2020), eq. 4, with the factor 1/2 of its authors' code (TRFL).
    """
    return 0.5 * (target_t.detach() - q_t) ** 2
