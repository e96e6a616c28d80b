"""The user model once more, in double precision and plain NumPy: the kernel is tested against it."""

import numpy as np
from scipy import special

ALPHA = 1e-4
"""Where the law holds, a test of it fails with this probability; seeds are fixed, so not from run to run."""
SIGMAS = 4.0
"""A mean further than so many standard errors away fails; the two-sided probability is 6e-5."""


def click_law(config, items, state, slate):
    """Utilities by hand and the probability of a click at each position, [K]."""
    shown = items[slate]
    hour = float(state["hour"])
    shift = float(state["appeal_shift"])
    age = np.maximum(hour - shown["born"].astype(float), 0.0)
    utility = (
        config.choice.affinity_weight * (shown["embedding"].astype(float) @ state["interest"].astype(float))
        + (1 - shift) * shown["appeal"]
        + shift * shown["later_appeal"]
        + config.choice.freshness_weight * 0.5 ** (age / config.choice.freshness_half_life)
        + state["conformity"] * shown["log_popularity"]
        - config.preferences.satiation_weight * state["satiation"][shown["topic"]]
        - config.choice.no_click_utility
        + config.preferences.satisfaction_weight * (state["satisfaction"] - 0.5)
    )
    there = (shown["born"] <= np.floor(hour)) & (np.floor(hour) < shown["gone"])
    examination = there * np.arange(1, len(slate) + 1) ** -config.choice.position_exponent
    if config.choice.model == "logit":
        weight = examination * np.exp(utility)
        return weight / (1 + weight.sum())
    attraction = there * special.expit(utility)
    if config.choice.model == "position":
        return examination * attraction
    return examination * attraction * np.concatenate([[1.0], np.cumprod(1 - attraction)[:-1]])


def funnel_law(config, items, state, slate):
    """(P(like | click), P(purchase | click, no like), P(purchase | click, like)), each [K]."""
    shown, weights = items[slate], config.funnel
    match = shown["embedding"].astype(float) @ state["interest"].astype(float)
    quality = shown["quality"].astype(float)
    like = special.expit(weights.like_bias + weights.like_match * match + weights.like_quality * quality)
    logit = weights.purchase_bias + weights.purchase_match * match + weights.purchase_quality * quality
    logit = logit - state["price_sensitivity"] * np.log(shown["price"].astype(float))
    return like, special.expit(logit), special.expit(logit + weights.purchase_like)


def value_law(config, items, state, slate):
    """Expected reward of each position once clicked, [K]."""
    like, without, with_like = funnel_law(config, items, state, slate)
    worth = config.reward.purchase * items[slate]["price"].astype(float) ** config.reward.price_exponent
    purchase = like * with_like + (1 - like) * without
    return config.reward.click + config.reward.like * like + worth * purchase
