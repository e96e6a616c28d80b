"""How a step changes what the user wants: interest, satiation, satisfaction; all in place."""

import numpy as np

from recsim_env.arithmetic import ONE, ZERO, normalise
from recsim_env.compiling import compiled
from recsim_env.records import NO_EVENT, Event

LIKE = np.uint8(Event.LIKE)
PURCHASE = np.uint8(Event.PURCHASE)
NONE = np.uint8(NO_EVENT)


@compiled
def pull(params, events):
    """alpha_e: how far interest moves towards an item, by the strongest of its events; 0 without a click."""
    if events & PURCHASE:
        return params.pull_purchase
    if events & LIKE:
        return params.pull_like
    return params.pull_click if events != NONE else ZERO


@compiled(merge=True)
def drift_interest(params, items, state, slate, events, clicked, num_clicks, noise, dim):
    """Move interest towards what was consumed, back towards taste, and at random.

    z' = unit((1 - sum_k alpha_k) z + sum_k alpha_k x_k + mu (theta - z) + sigma xi), the alphas scaled down
    when their sum exceeds 1.

    Args:
        params: PARAMS record; items: [N] ITEM; state: USER_STATE record, changed in place.
        slate: [K] int64; events: [K] uint8 event masks; clicked: [K] int64, the first ``num_clicks`` of them
            the clicked positions; noise: [D] float32, xi, of mean 0 and variance 1; dim: D.

    Source: ours; the consumption pull of RecSim's interest evolution (Ie et al. 2019) with mean reversion and
    diffusion.
    """
    total = ZERO
    for i in range(num_clicks):
        total += pull(params, events[clicked[i]])
    scale = ONE / total if total > ONE else ONE
    keep = ONE - total * scale - params.taste_pull
    interest, taste = state.interest, state.taste
    taste_pull, drift_scale = params.taste_pull, params.drift_scale
    for d in range(dim):
        interest[d] = keep * interest[d] + taste_pull * taste[d] + drift_scale * noise[d]
    for i in range(num_clicks):
        weight = pull(params, events[clicked[i]]) * scale
        embedding = items[np.uint64(slate[clicked[i]])].embedding
        for d in range(dim):
            interest[d] += weight * embedding[d]
    normalise(interest)


@compiled(merge=True)
def boredom(params, items, state, slate, examination):
    """Mean satiation with what a slate shows, weighted by examination; 0 where boredom costs nothing.

    Args: as ``satiate``.

    Returns:
        float32 in [0, 1].

    Source: ours; in SARDINE (Deffayet et al. 2023) bored users stop clicking, here they also leave earlier.
    """
    if params.boredom_cost == ZERO:
        return ZERO
    satiated = ZERO
    seen = ZERO
    for k in range(slate.shape[0]):
        satiated += examination[k] * state.satiation[np.uint64(items[np.uint64(slate[k])].topic)]
        seen += examination[k]
    return satiated / seen if seen > ZERO else ZERO


@compiled(merge=True)
def satiate(params, items, state, slate, events, examination, num_topics):
    """Let all topics recover, then raise those shown and, more, those consumed, saturating at 1.

    s'_c = rho s_c; then for each position k of topic c, s_c += g_k (1 - s_c) with g_k = e_k shown + [clicked]
    consumed, cut at 1.

    Args:
        params: PARAMS record; items: [N] ITEM; state: USER_STATE record, changed in place.
        slate: [K] int64; events: [K] uint8; examination: [K] float32, e_k; num_topics: C.

    Source: ours; satiation by topic as in SARDINE (Deffayet et al. 2023) and RecLab (Krauth et al. 2020),
    made saturating.
    """
    satiation, recovery = state.satiation, params.satiation_recovery
    for c in range(num_topics):
        satiation[c] *= recovery
    for k in range(slate.shape[0]):
        growth = params.satiation_shown * examination[k]
        if events[k] != NONE:
            growth += params.satiation_consumed
        topic = np.uint64(items[np.uint64(slate[k])].topic)
        satiation[topic] += min(growth, ONE) * (ONE - satiation[topic])


@compiled(merge=True)
def satisfy(params, items, state, slate, clicked, num_clicks):
    """Average the quality of what is consumed into satisfaction.

    h' = rho_h h + (1 - rho_h) q_a for each clicked item.

    Source: RecSim's long-term satisfaction (Ie et al. 2019), with quality in place of kaleness.
    """
    memory = params.satisfaction_memory
    for i in range(num_clicks):
        quality = items[np.uint64(slate[clicked[i]])].quality
        state.satisfaction = memory * state.satisfaction + (ONE - memory) * quality
