"""The start of an episode: a user drawn from the streams, with an organic history."""

import numpy as np

from recsim_env.arithmetic import ZERO, normal_quantile, normalise
from recsim_env.compiling import compiled, prefetch
from recsim_env.kernel.affinity import match, outside_utility, utility
from recsim_env.kernel.drift import drift_taste, utility_change
from recsim_env.kernel.funnel import like_prob, purchase_prob
from recsim_env.kernel.visits import begin_visit
from recsim_env.records import NO_EVENT, Event
from recsim_env.streams import fill_normals, fill_words, uniform, uniform_index

UNBORN = np.float32(1e6)  # utility that an item lacks before it arrives
INFINITY = np.float32(np.inf)
NONE = np.uint8(NO_EVENT)
CLICK = np.uint8(Event.CLICK)
LIKE = np.uint8(Event.LIKE)
PURCHASE = np.uint8(Event.PURCHASE)


@compiled
def draw_topic(params, num_topics, segment, own_word, pick_word):
    """A favourite topic: with probability ``segment_strength`` one with c mod S = segment, else any.

    A segment without topics (S > C) falls back on all of them.
    """
    in_segment = (num_topics - segment + params.num_segments - 1) // params.num_segments
    if uniform(own_word) < params.segment_strength and in_segment > 0:
        return segment + params.num_segments * uniform_index(pick_word, in_segment)
    return uniform_index(pick_word, num_topics)


@compiled(merge=True)
def draw_traits(params, topic_centres, seed, state, scratch):
    """Fixed traits, a function of (seed, user), and of ``state.hour`` under drift of taste.

    taste = unit(centre of a first topic + w centre of a second + own direction of length about
    ``taste_noise``).

    Args:
        params: PARAMS record; topic_centres: [C, D] float32; seed: uint64.
        state: USER_STATE record with ``user_id`` and ``hour`` set, in which segment, taste, conformity and
            price sensitivity are written; scratch: SCRATCH record.

    Source: ours.
    """
    dim = topic_centres.shape[1]
    num_topics = topic_centres.shape[0]
    zero = np.int64(0)
    words = scratch.words
    fill_words(
        seed,
        state.user_id,
        zero,
        zero,
        scratch.traits_blocks,
        scratch.traits_lanes,
        scratch.traits_keys,
        words,
    )
    fill_normals(words, scratch.uniforms, scratch.noise)
    at = dim // 4
    state.segment = uniform_index(words[0, at], params.num_segments)
    conformity = params.conformity_std * normal_quantile(uniform(words[1, at]))
    state.conformity = max(params.conformity_mean + conformity, ZERO)
    sensitivity = params.price_sensitivity_std * normal_quantile(uniform(words[2, at]))
    state.price_sensitivity = max(params.price_sensitivity_mean + sensitivity, ZERO)
    first = draw_topic(params, num_topics, state.segment, words[3, at], words[0, at + 1])
    second = draw_topic(params, num_topics, state.segment, words[1, at + 1], words[2, at + 1])
    spread = params.taste_noise / np.float32(np.sqrt(np.float32(dim)))
    taste, normals, weight = state.taste, scratch.noise, params.second_topic_weight
    for d in range(dim):
        taste[d] = topic_centres[first, d] + weight * topic_centres[second, d]
    drift_taste(params, topic_centres, first, second, state)
    for d in range(dim):
        taste[d] += spread * normals[d]
    normalise(taste)


@compiled(merge=True)
def find_organic_item(params, items, state, words, block, candidates):
    """The item of highest utility among candidates drawn uniformly from the blocks from ``block`` on.

    Args:
        params, state: records; items: [N] ITEM; words: [4, M] uint32; block: int; candidates: [n] int64
            scratch, overwritten.

    Returns:
        (item, its match with interest).
    """
    for i in range(candidates.shape[0]):
        candidates[i] = uniform_index(words[i % 4, block + i // 4], params.num_items)
        prefetch(items, candidates[i])
    outside = outside_utility(params, state)
    best = np.uint64(0)
    best_match = ZERO
    best_utility = -INFINITY
    for i in range(candidates.shape[0]):
        candidate = np.uint64(candidates[i])
        item = items[candidate]
        item_match = match(state.interest, item)
        item_utility = utility(params, state, item, item_match, outside)
        if params.changing:
            item_utility += utility_change(params, state, item)
            item_utility -= UNBORN if item.born > state.hour else ZERO
        better = item_utility > best_utility
        best = candidate if better else best
        best_match = item_match if better else best_match
        best_utility = item_utility if better else best_utility
    return best, best_match


@compiled(merge=True)
def draw_organic_history(params, items, state, scratch):
    """Fill the history with items that the user found without the platform's recommendations.

    Each is the one of highest utility to the user among ``organic_candidates`` drawn uniformly; it was
    clicked, and liked and bought by the funnel. Where all of these arrive only later there is one item fewer.
    A cold user has none.

    Args:
        params: PARAMS record; items: [N] ITEM; state: USER_STATE record, changed in place.
        scratch: SCRATCH record whose words hold the VISIT group.

    Source: ours.
    """
    words = scratch.words
    visit_at = state.interest.shape[0] // 4
    history_items, history_events = state.history_items, state.history_events
    for j in range(history_items.shape[0]):
        history_items[j] = params.num_items
        history_events[j] = NONE
    if uniform(words[1, visit_at]) < params.cold_share:
        return
    per_item = 1 + (scratch.candidates.shape[0] + 3) // 4
    span = params.organic_max - params.organic_min + 1
    drawn = params.organic_min + uniform_index(words[2, visit_at], span)
    count = min(drawn, history_items.shape[0])
    block = visit_at + 1 - per_item
    start = history_items.shape[0] - count
    placed = 0
    for _ in range(count):
        block += per_item
        item, item_match = find_organic_item(params, items, state, words, block + 1, scratch.candidates)
        if params.changing and items[item].born > state.hour:
            continue
        events = CLICK
        liked = uniform(words[0, block]) < like_prob(params, items[item], item_match)
        if liked:
            events |= LIKE
        if uniform(words[1, block]) < purchase_prob(params, state, items[item], item_match, liked):
            events |= PURCHASE
        history_items[start + placed] = item
        history_events[start + placed] = events
        placed += 1
    missing = count - placed
    if missing > 0:
        for j in range(history_items.shape[0] - 1, start + missing - 1, -1):
            history_items[j] = history_items[j - missing]
            history_events[j] = history_events[j - missing]
        for j in range(start, start + missing):
            history_items[j] = params.num_items
            history_events[j] = NONE


@compiled(inline=True)
def reset_user(params, items, topic_centres, seed, user, visit, state, scratch):
    """Start an episode: overwrite the state record with user ``user`` at the beginning of visit ``visit``.

    Args:
        params: PARAMS record; items: [N] ITEM; topic_centres: [C, D] float32; seed: uint64; user, visit:
            int64.
        state: USER_STATE record, overwritten; scratch: SCRATCH record.
    """
    state.user_id = user
    state.visit = visit
    state.decisions = 0
    state.hours_away = 0
    arrived = np.float64(np.uint64(user) % np.uint64(params.run_users))
    state.arrival = np.float64(params.run_hours) * arrived / np.float64(params.run_users)
    state.hour = state.arrival
    draw_traits(params, topic_centres, seed, state, scratch)
    begin_visit(params, seed, state, scratch)
    satiation = state.satiation
    for c in range(satiation.shape[0]):
        satiation[c] = ZERO
    state.satisfaction = params.satisfaction_initial
    draw_organic_history(params, items, state, scratch)
    last_slate, last_events = state.last_slate, state.last_events
    for k in range(last_slate.shape[0]):
        last_slate[k] = params.num_items
        last_events[k] = NONE
