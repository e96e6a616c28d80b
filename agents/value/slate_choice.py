"""Slates under the logit choice model: what is clicked, what a slate is worth, and which slate is worth most.

The user clicks one of K items or none (option K, the null item):

    P(k | A) = e_k w_{a_k} / (1 + sum_j e_j w_{a_j}),    P(none | A) = 1 / (1 + sum_j e_j w_{a_j})

with w = exp(utility) of an item, 0 for one that is not on offer, and e the examination of a position, which
falls from top to bottom. A slate is worth sum_k P(k | A) q_{a_k} + P(none | A) q_none.

Pure functions of tensors. Symbols: B users, K slots, n choices.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

SlateSearch = Literal["exact", "greedy", "top-k"]
SEARCHES: tuple[str, ...] = get_args(SlateSearch)
MAX_ITERATIONS = 50


def choice_log_prob(utility: Tensor, log_examination: Tensor) -> Tensor:
    """Log-probability of a click on each position and, last, of none.

    Args:
        utility: [B, K] float, of the shown items; that of clicking nothing is 0.
        log_examination: [K] float <= 0.

    Returns:
        [B, K + 1] float.

    Source: McFadden (1974), multinomial logit; SlateQ, Ie et al. (2019), eq. 6, with positions as ours.
    """
    options = torch.cat([utility + log_examination, utility.new_zeros(len(utility), 1)], dim=1)
    return torch.log_softmax(options, dim=1)


def slate_value(weight: Tensor, q: Tensor, q_none: Tensor, examination: Tensor) -> Tensor:
    """What slates are worth.

    Args:
        weight: [B, K] float >= 0, w of the shown items.
        q: [B, K] float, worth of a click on each.
        q_none: [B] float, worth of no click.
        examination: [K] float in [0, 1].

    Returns:
        [B] float.

    Source: SlateQ, Ie et al. (2019), proposition 2 (eq. 12), with the null item as an option.
    """
    examined = weight * examination
    return (q_none + (examined * q).sum(1)) / (1 + examined.sum(1))


def best_slates(
    weight: Tensor, q: Tensor, q_none: Tensor, examination: Tensor, search: SlateSearch = "exact"
) -> tuple[Tensor, Tensor]:
    """The slates of K distinct choices that are worth most.

    exact   the best slate, by Dinkelbach's method instead of a linear program: at the optimal worth L the
            slate that maximises sum_k e_k w (q - L) is optimal; since e falls, that is the K largest
            w (q - L) in order. L is raised to the worth of the slate found until it stays
    greedy  slot by slot the item that raises the worth of the slate so far most (Ie et al. 2019, section 5)
    top-k   the K largest w q, in order (the same section)

    Choices of weight 0 come last.

    Args:
        weight, q: [B, n] float, of all choices; n >= K.
        q_none: [B] float.
        examination: [K] float in (0, 1], not increasing.

    Returns:
        (slates [B, K] int64, what they are worth [B] float).

    Raises:
        ValueError: an unknown search.

    Source: Ie et al. (2019), "SlateQ: a tractable decomposition for reinforcement learning with
        recommendation sets"; Dinkelbach (1967), "On nonlinear fractional programming".
    """
    if search not in SEARCHES:
        raise ValueError(f"search: expected one of {', '.join(SEARCHES)}, got {search!r}")
    num_slots, offered = len(examination), weight > 0

    def largest(gain: Tensor) -> Tensor:
        return gain.masked_fill(~offered, -torch.inf).topk(num_slots, dim=1).indices

    def worth(slate: Tensor) -> Tensor:
        return slate_value(weight.gather(1, slate), q.gather(1, slate), q_none, examination)

    if search == "greedy":
        slate = _greedy(weight, q, q_none, examination)
        return slate, worth(slate)
    slate = largest(weight * q)
    level = worth(slate)
    if search == "top-k":
        return slate, level
    for _ in range(MAX_ITERATIONS):
        better = largest(weight * (q - level[:, None]))
        raised = worth(better)
        higher = raised > level
        if not higher.any():
            break
        slate = torch.where(higher[:, None], better, slate)
        level = torch.where(higher, raised, level)
    return slate, level


def _greedy(weight: Tensor, q: Tensor, q_none: Tensor, examination: Tensor) -> Tensor:
    top, bottom = q_none[:, None], torch.ones_like(q_none)[:, None]
    free, slots = weight > 0, []
    unshown = torch.ones_like(free)
    for examined in examination:
        value = (top + examined * weight * q) / (bottom + examined * weight)
        value = value.masked_fill(~free, -torch.inf)
        lowest = torch.finfo(value.dtype).min
        value = torch.where(unshown, value.clamp(min=lowest), -torch.inf)  # what is left, on offer or not
        item = value.argmax(1, keepdim=True)
        shown = examined * weight.gather(1, item)
        top, bottom = top + shown * q.gather(1, item), bottom + shown
        unshown = unshown.scatter(1, item, False)
        free = free & unshown
        slots.append(item)
    return torch.cat(slots, dim=1)
