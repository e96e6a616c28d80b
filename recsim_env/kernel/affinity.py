"""How much a user wants an item right now."""

import numpy as np

from recsim_env.arithmetic import HALF, dot
from recsim_env.compiling import compiled


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

    v = beta <z, x_a> + g_a + eta_u log pi_a - lambda s_c(a) - (utility of clicking nothing), with log pi
    centred over the catalog.

    Args:
        params: PARAMS record.
        state: USER_STATE record.
        item: ITEM record.
        item_match: float32, <z, x_a>.
        outside: float32, from ``outside_utility``.

    Source: ours; a random-utility model (McFadden 1974) with conformity to popularity and satiation per
    topic.
    """
    return (
        params.affinity_weight * item_match
        + item.appeal
        + state.conformity * item.log_popularity
        - params.satiation_weight * state.satiation[np.uint64(item.topic)]
        - outside
    )
