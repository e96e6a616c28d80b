"""Importance weights of logged decisions: one function for all off-policy learners, and how even they are."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

Weighting = Literal["none", "ips", "snips"]
WEIGHTINGS: tuple[Weighting, ...] = ("none", "ips", "snips")

DEFAULT_WEIGHT_CAP = math.exp(3.0)
"""Cap of importance weights, e^3: Chen et al. (2019), section 6.4.2."""


def importance_weights(
    log_prob_t: Tensor,
    log_propensity_t: Tensor,
    cap: float = DEFAULT_WEIGHT_CAP,
    weighting: Weighting = "ips",
) -> Tensor:
    """How much each logged decision counts for the learned policy; no gradient flows through it.

    none    w = 1
    ips     w = min(pi(a|s) / beta(a|s), cap)
    snips   w / mean of w over the rows, with w of ips

    Args:
        log_prob_t: [B] float, log pi of the logged action.
        log_propensity_t: [B] float, log of its propensity, recorded or estimated.
        cap: upper bound before normalisation; `math.inf` for none.
        weighting: one of the three.

    Returns:
        [B] float >= 0, with ips at most `cap`, with snips of mean 1.

    Source: Chen et al. (2019), "Top-K off-policy correction for a REINFORCE recommender system", eq. 3 and
    section 4.4; Swaminathan and Joachims (2015), "The self-normalized estimator for counterfactual
    learning", eq. 8, for snips.
    """
    if weighting == "none":
        return torch.ones_like(log_prob_t).detach()
    log_weight = (log_prob_t - log_propensity_t).detach()
    weight = torch.exp(torch.clamp(log_weight, max=math.log(cap)))
    return weight / weight.mean().clamp(min=1e-30) if weighting == "snips" else weight


def effective_share(weight: Tensor) -> Tensor:
    """Effective sample size as a share of the rows, (sum w)^2 / (B sum w^2): 1 if all are alike, 1/B if one.

    Source: Kish (1965), "Survey sampling", section 11.7.
    """
    return weight.sum() ** 2 / (len(weight) * (weight**2).sum()).clamp(min=1e-30)


def weight_metrics(weight: Tensor) -> dict[str, Tensor]:
    """What training reports of its weights: mean, largest, and effective share of the rows."""
    return {"weight": weight.mean(), "max_weight": weight.max(), "effective": effective_share(weight)}
