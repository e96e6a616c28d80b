"""Loops over users. Each works on rows start .. stop - 1, so that several threads share a batch; bits do not depend on the split."""

from recsim_env.compiling import compiled, prefetch
from recsim_env.kernel.affinity import match, utility
from recsim_env.kernel.funnel import like_prob, marginal_purchase_prob
from recsim_env.kernel.observation import write_observation
from recsim_env.kernel.reset import reset_user
from recsim_env.kernel.step import face_slate, step_user
from recsim_env.kernel.truth import slate_expected_reward, value_of_click


@compiled
def find_invalid(slates, num_items, allow_repeats):
    """Position of the first invalid item in row-major order, or (-1, -1).

    Args:
        slates: [B, K] int64; num_items: int; allow_repeats: bool.

    Returns:
        (row, position): an item outside [0, N), or, unless allowed, a repeat of an earlier item in its row.
    """
    for i in range(slates.shape[0]):
        for k in range(slates.shape[1]):
            item = slates[i, k]
            fault = item < 0 or item >= num_items
            if not allow_repeats:
                for j in range(k):
                    fault |= slates[i, j] == item
            if fault:
                return i, k
    return -1, -1


@compiled
def step_users(params, items, seed, states, slates, active, outcomes, scratch, observation, start, stop):
    """Step users in order, and write their observations.

    Args:
        params: [1] PARAMS; items: [N] ITEM; seed: uint64; states: [B] USER_STATE, changed in place.
        slates: [B, K] int64; active: [B] bool, false to leave a user as is.
        outcomes: [B] OUTCOME, overwritten where active; scratch: [1] SCRATCH of the calling thread.
        observation: ObservationArrays of B rows, overwritten.
        start, stop: the rows to serve.
    """
    own = scratch[0]
    for i in range(start, stop):
        if i + 1 < stop:
            for k in range(slates.shape[1]):
                prefetch(items, slates[i + 1, k])
        if active[i]:
            step_user(params[0], items, seed, states[i], slates[i], outcomes[i], own)
        write_observation(states[i], i, observation)


@compiled
def reset_users(
    params, items, topic_centres, seed, states, rows, users, visits, scratch, observation, start, stop
):
    """Put user users[i] at the start of visit visits[i] into row rows[i], and write its observation.

    Args:
        params: [1] PARAMS; items: [N] ITEM; topic_centres: [C, D] float32; seed: uint64.
        states: [B] USER_STATE, rows overwritten; rows, users, visits: [R] int64.
        scratch: [1] SCRATCH of the calling thread; observation: ObservationArrays of B rows, rows overwritten.
        start, stop: the part of the R lists to serve.
    """
    own = scratch[0]
    for i in range(start, stop):
        state = states[rows[i]]
        reset_user(params[0], items, topic_centres, seed, users[i], visits[i], state, own)
        write_observation(state, rows[i], observation)


@compiled
def observe_users(states, observation):
    """Write the observations of B users; observation: ObservationArrays of B rows, overwritten."""
    for i in range(len(states)):
        write_observation(states[i], i, observation)


@compiled
def slate_truth_users(params, items, states, slates, scratch, truth):
    """Write the exact law of the answers to B slates; truth: a ``SlateTruth`` of B rows, overwritten."""
    own = scratch[0]
    for i in range(len(states)):
        state, slate = states[i], slates[i]
        face_slate(params[0], items, state, slate, own)
        truth.expected_reward[i] = slate_expected_reward(params[0], items, state, slate, own)
        for k in range(slate.shape[0]):
            item = items[slate[k]]
            truth.click_prob[i, k] = own.race[k]
            truth.like_prob[i, k] = like_prob(params[0], item, own.match[k])
            truth.purchase_prob[i, k] = marginal_purchase_prob(params[0], state, item, own.match[k])


@compiled
def item_truth_users(params, items, states, truth, start, stop):
    """Write utility and value of a click of every item; truth: an ``ItemTruth`` [B, N], rows start .. stop - 1 overwritten."""
    for i in range(start, stop):
        state = states[i]
        for n in range(len(items)):
            item = items[n]
            item_match = match(state.interest, item)
            truth.utility[i, n] = utility(params[0], state, item, item_match)
            truth.value_of_click[i, n] = value_of_click(params[0], state, item, item_match)
