"""How much a user wants an item right now."""

import numpy as np

from recsim_env.arithmetic import HALF, ZERO, dot, exp
from recsim_env.compiling import compiled

LOG_2 = np.float32(np.log(2))


@compiled
def match(vector, item):
    """Cosine of a user's interest or taste with an item: <z, x_a>, both unit float32 [D]."""
    return dot(vector, item.embedding)


@compiled
def outside_utility(params, state):
    """Utility of clicking nothing: u_0 - kappa (h - 1/2), so that satisfaction makes every item worth more.

    Source: ours; in RecSim's long-term satisfaction (Ie et al. 2019) satisfaction multiplies engagement.
    """
    return params.no_click_utility - params.satisfaction_weight * (state.satisfaction - HALF)


@compiled
def utility(params, state, item, item_match, outside):
    """Utility of clicking an item, before examination.

    v = beta <z, x_a> + g_a + L (g'_a - g_a) + eta_u log pi_a - lambda s_c(a) + phi 2^(-age / half-life)
        - (utility of clicking nothing),

    with log pi centred over the catalog, g' the appeal that drift leads to, L how far it has come, and the
    age of an item in hours since it arrived.

    Args:
        params: PARAMS record.
        state: USER_STATE record.
        item: ITEM record.
        item_match: float32, <z, x_a>.
        outside: float32, from ``outside_utility``.

    Source: ours; a random-utility model (McFadden 1974) with conformity to popularity and satiation per
    topic.
    """
    value = (
        params.affinity_weight * item_match
        + (item.appeal + state.appeal_shift * (item.later_appeal - item.appeal))
        + state.conformity * item.log_popularity
        - params.satiation_weight * state.satiation[np.uint64(item.topic)]
        - outside
    )
    if params.freshness_weight > ZERO:
        age = max(np.float32(state.hour) - item.born, ZERO)
        value += params.freshness_weight * exp(-age * LOG_2 / params.freshness_half_life)
    return value
