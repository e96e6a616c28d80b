"""Loops over users.

Each works on the rows start .. stop - 1, so that threads share a batch; bits do not depend on the split.
"""

import numpy as np

from recsim_env.compiling import compiled, prefetch
from recsim_env.kernel.affinity import match, outside_utility, utility
from recsim_env.kernel.drift import on_offer, utility_change
from recsim_env.kernel.funnel import like_prob, marginal_purchase_prob
from recsim_env.kernel.observation import write_observation
from recsim_env.kernel.reset import reset_user
from recsim_env.kernel.step import evolve, face_slate, skip_user, step_user
from recsim_env.kernel.truth import slate_expected_reward, value_of_click
from recsim_env.kernel.visits import return_user
from recsim_env.streams import fill_words, uniform_index

INFINITY = np.float32(np.inf)
AHEAD = 8  # candidates whose items are fetched before they are compared


@compiled(merge=True)
def may_repeat(slate, scratch):
    """False only if no item stands twice on a slate; true also where two items share a place in the table.

    Every item leaves this slate's number at its place, which a repeat then finds there.

    Args:
        slate: [K] int64; scratch: SCRATCH record, whose ``seen`` and ``num_seen`` are overwritten.
    """
    scratch.num_seen += np.uint32(1)
    number, last = scratch.num_seen, np.uint64(scratch.seen.shape[0] - 1)
    suspected = False
    for k in range(slate.shape[0]):
        place = np.uint64(slate[k]) & last
        suspected = bool(suspected | (scratch.seen[place] == number))
        scratch.seen[place] = number
    return suspected


@compiled(entry=True)
def find_invalid(slates, num_items, allow_repeats, scratch, start, stop):
    """Write where the first invalid item of rows start .. stop - 1 is into ``scratch.fault``, or (-1, -1).

    Args:
        slates: [B, K] int64; num_items: int.
        allow_repeats: bool; unless set, a repeat of an earlier item in its row is invalid like an item
            outside [0, N).
        scratch: [1] SCRATCH of the calling thread.
        start, stop: the rows to search.
    """
    own = scratch[0]
    own.fault[0] = own.fault[1] = -1
    for i in range(start, stop):
        slate = slates[i]
        outside = False
        for k in range(slate.shape[0]):
            outside = bool(outside | (np.uint64(slate[k]) >= np.uint64(num_items)))
        if outside or (not allow_repeats and may_repeat(slate, own)):
            for k in range(slate.shape[0]):
                fault = slate[k] < 0 or slate[k] >= num_items
                for j in range(k):
                    fault |= not allow_repeats and slate[j] == slate[k]
                if fault:
                    own.fault[0] = i
                    own.fault[1] = k
                    return


@compiled(entry=True)
def step_users(
    params,
    items,
    seed,
    states,
    slates,
    look_for_blanks,
    max_steps,
    idle,
    outcomes,
    scratch,
    observation,
    start,
    stop,
):
    """Step users in order, and write their observations.

    Args:
        params: [1] PARAMS; items: [N] ITEM; seed: uint64; states: [B] USER_STATE, changed in place.
        slates: [B, K] int64; look_for_blanks: bool, whether they may hold repeats or items not on offer.
        max_steps: int, the horizon; 0 for none.
        idle: [B] bool, true to leave a user as is.
        outcomes: [B] OUTCOME, overwritten; scratch: [1] SCRATCH of the calling thread.
        observation: ObservationArrays of B rows, overwritten.
        start, stop: the rows to serve.
    """
    own = scratch[0]
    for i in range(start, stop):
        if i + 1 < stop:
            for k in range(slates.shape[1]):
                prefetch(items, slates[i + 1, k])
        if idle[i]:
            skip_user(states[i], outcomes[i])
        else:
            step_user(
                params[0], items, seed, states[i], slates[i], look_for_blanks, max_steps, outcomes[i], own
            )
        write_observation(states[i], i, observation)


@compiled(entry=True)
def return_users(params, seed, states, max_steps, outcomes, scratch, observation, start, stop):
    """Let the users whose session ended with this step churn or return, as ``return_user``.

    Args:
        params: [1] PARAMS; seed: uint64; states: [B] USER_STATE, changed in place.
        max_steps: int, the horizon; 0 for none.
        outcomes: [B] OUTCOME as ``step_users`` left them, changed in place; scratch: [1] SCRATCH of the
            calling thread.
        observation: ObservationArrays of B rows, those of users who are back overwritten.
        start, stop: the rows to serve.
    """
    for i in range(start, stop):
        if outcomes[i].terminated:
            return_user(params[0], seed, max_steps, states[i], outcomes[i], scratch[0])
            write_observation(states[i], i, observation)


@compiled
def draw_candidate(words, part, number, num_parts, num_draws, num_items):
    """Item drawn as number ``number`` of ``num_draws`` for a part of the catalog, from the words of OFFER."""
    size = (num_items - part + num_parts - 1) // num_parts
    at = part * num_draws + number
    return np.uint64(part + num_parts * uniform_index(words[at % 4, at // 4], size))


@compiled(entry=True)
def offer_users(params, items, seed, states, scratch, offers, start, stop):
    """Draw the candidates of the rows start .. stop - 1.

    The catalog is cut into M parts, item a being of part a mod M, and each gives one candidate: of
    ``candidate_draws`` of its items, drawn uniformly, the one closest to the user's taste. So no two are the
    same, whatever is drawn.

    Args:
        params: [1] PARAMS; items: [N] ITEM; seed: uint64; states: [B] USER_STATE.
        scratch: [1] SCRATCH of the calling thread; offers: [B, M] int64, rows overwritten: items, or ~item
            for one that is not on offer at this hour.

    Source: ours.
    """
    own = scratch[0]
    words, count = own.words, offers.shape[1]
    draws = params[0].candidate_draws
    for i in range(start, stop):
        state = states[i]
        lanes, keys = own.offer_lanes, own.offer_keys
        fill_words(seed, state.user_id, state.visit, state.step, own.offer_blocks, lanes, keys, words)
        for m in range(count + AHEAD):
            if m < count:
                for n in range(draws):
                    prefetch(items, draw_candidate(words, m, n, count, draws, params[0].num_items))
            if m >= AHEAD:
                part = m - AHEAD
                best = np.uint64(0)
                best_match = -np.float32(2)
                for n in range(draws):
                    item = draw_candidate(words, part, n, count, draws, params[0].num_items)
                    item_match = match(state.taste, items[item])
                    best = item if item_match > best_match else best
                    best_match = max(item_match, best_match)
                offers[i, part] = np.int64(best) if on_offer(state, items[best]) else ~np.int64(best)


@compiled(entry=True)
def reset_users(
    params, items, topic_centres, seed, states, rows, users, visits, scratch, observation, start, stop
):
    """Put user users[i] at the start of visit visits[i] into row rows[i], and write its observation.

    Args:
        params: [1] PARAMS; items: [N] ITEM; topic_centres: [C, D] float32; seed: uint64.
        states: [B] USER_STATE, rows overwritten; rows, users, visits: [R] int64.
        scratch: [1] SCRATCH of the calling thread; observation: ObservationArrays of B rows, rows
            overwritten.
        start, stop: the part of the R lists to serve.
    """
    own = scratch[0]
    for i in range(start, stop):
        state = states[rows[i]]
        reset_user(params[0], items, topic_centres, seed, users[i], visits[i], state, own)
        write_observation(state, rows[i], observation)


@compiled(entry=True)
def observe_users(states, observation):
    """Write the observations of B users; observation: ObservationArrays of B rows, overwritten."""
    for i in range(len(states)):
        write_observation(states[i], i, observation)


@compiled(entry=True)
def slate_truth_users(params, items, states, slates, scratch, truth):
    """Write the exact law of the answers to B slates; truth: a ``SlateTruth`` of B rows, overwritten."""
    own = scratch[0]
    for i in range(len(states)):
        state, slate = states[i], slates[i]
        face_slate(params[0], items, state, slate, True, own)
        truth.expected_reward[i] = slate_expected_reward(params[0], items, state, slate, own)
        for k in range(slate.shape[0]):
            item = items[slate[k]]
            truth.click_prob[i, k] = own.race[k]
            truth.like_prob[i, k] = like_prob(params[0], item, own.match[k])
            truth.purchase_prob[i, k] = marginal_purchase_prob(params[0], state, item, own.match[k])


@compiled(entry=True)
def advance_users(params, items, states, slates, events, scratch):
    """Carry B states through one step with the given answers, without the noise on interest.

    Args:
        params: [1] PARAMS; items: [N] ITEM; states: [B] USER_STATE, changed in place.
        slates: [B, K] int64; events: [B, K] uint8 event masks; scratch: [1] SCRATCH of the calling thread.
    """
    own = scratch[0]
    for i in range(len(states)):
        num_clicks = 0
        for k in range(slates.shape[1]):
            own.events[k] = events[i, k]
            if events[i, k] != 0:
                own.clicked[num_clicks] = k
                num_clicks += 1
        for d in range(own.noise.shape[0]):
            own.noise[d] = 0.0
        evolve(params[0], items, states[i], slates[i], num_clicks, own)


@compiled
def write_item_truth(params, state, item, outside, truth, row, column):
    """Write utility and value of a click of one item; what is not on offer has no utility."""
    item_match = match(state.interest, item)
    wanted = utility(params, state, item, item_match, outside)
    if params.changing:
        wanted += utility_change(params, state, item)
        wanted = wanted if on_offer(state, item) else -INFINITY
    truth.utility[row, column] = wanted
    truth.value_of_click[row, column] = value_of_click(params, state, item, item_match)


@compiled(entry=True)
def item_truth_users(params, items, states, truth, start, stop):
    """Write utility and value of a click of every item into rows start .. stop - 1 of an ``ItemTruth``."""
    for i in range(start, stop):
        outside = outside_utility(params[0], states[i])
        for n in range(len(items)):
            write_item_truth(params[0], states[i], items[n], outside, truth, i, n)


@compiled(entry=True)
def pool_truth_users(params, items, states, pools, truth, start, stop):
    """As ``item_truth_users``, of the items in each user's pool: pools [B, M] int64, truth of M columns."""
    for i in range(start, stop):
        outside = outside_utility(params[0], states[i])
        for m in range(pools.shape[1]):
            item = items[np.uint64(pools[i, m])]
            write_item_truth(params[0], states[i], item, outside, truth, i, m)
