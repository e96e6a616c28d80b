"""How much a user wants an item right now."""

import numpy as np

from recsim_env.arithmetic import dot
from recsim_env.compiling import compiled


@compiled
def match(vector, item):
    """Cosine of a user's interest or taste with an item: <z, x_a>, both unit float32 [D]."""
    return dot(vector, item.embedding)


@compiled
def utility(params, state, item, item_match):
    """Utility of clicking an item, before examination.

    v = beta <z, x_a> + g_a + eta_u log pi_a - lambda s_c(a) - u_0, with log pi centred over the catalog and
    u_0 the utility of clicking nothing.

    Args:
        params: PARAMS record.
        state: USER_STATE record.
        item: ITEM record.
        item_match: float32, <z, x_a>.

    Source: ours; a random-utility model (McFadden 1974) with conformity to popularity and satiation per
    topic.
    """
    return (
        params.affinity_weight * item_match
        + item.appeal
        + state.conformity * item.log_popularity
        - params.satiation_weight * state.satiation[np.uint64(item.topic)]
        - params.no_click_utility
    )
