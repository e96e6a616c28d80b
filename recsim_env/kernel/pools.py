"""The closed forms of item truth for a pool of items per user instead of the whole catalog."""

import numpy as np

from recsim_env.compiling import compiled
from recsim_env.kernel.affinity import match, utility
from recsim_env.kernel.truth import value_of_click


@compiled(entry=True)
def pool_truth_users(params, items, states, pools, truth, start, stop):
    """Write utility and value of a click of every item of each user's pool into rows start .. stop - 1.

    Args:
        params: [1] PARAMS; items: [N] ITEM; states: [B] USER_STATE; pools: [B, M] int64 in [0, N).
        truth: an ``ItemTruth`` of B rows and M columns, overwritten.
        start, stop: the rows to serve.
    """
    for i in range(start, stop):
        state, pool = states[i], pools[i]
        for m in range(pool.shape[0]):
            item = items[np.uint64(pool[m])]
            item_match = match(state.interest, item)
            truth.utility[i, m] = utility(params[0], state, item, item_match)
            truth.value_of_click[i, m] = value_of_click(params[0], state, item, item_match)
