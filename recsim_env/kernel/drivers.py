"""Loops over users: serial, and the same in parallel. A user's bits do not depend on which driver serves them."""

import numba

from recsim_env.compiling import compiled, prefetch
from recsim_env.kernel.affinity import match, utility
from recsim_env.kernel.funnel import like_prob, marginal_purchase_prob
from recsim_env.kernel.observation import write_observation
from recsim_env.kernel.reset import reset_user
from recsim_env.kernel.step import face_slate, step_user
from recsim_env.kernel.truth import slate_expected_reward, value_of_click

CHUNK = 256  # users per parallel task: large enough to hide scheduling, small enough to balance


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
def step_range(
    params, items, seed, states, slates, active, with_truth, outcomes, scratch, observation, start, stop
):
    """Step the users start..stop-1 whose ``active`` flag is set, and write their observations."""
    for i in range(start, stop):
        if i + 1 < stop:
            for k in range(slates.shape[1]):
                prefetch(items, slates[i + 1, k])
        if active[i]:
            step_user(params, items, seed, states[i], slates[i], with_truth, outcomes[i], scratch)
        write_observation(states[i], i, observation)


@compiled
def step_serial(params, items, seed, states, slates, active, with_truth, outcomes, scratch, observation):
    """Step B users in order.

    Args:
        params: [1] PARAMS; items: [N] ITEM; seed: uint64; states: [B] USER_STATE, changed in place.
        slates: [B, K] int64; active: [B] bool, false to leave a user as is; with_truth: bool.
        outcomes: [B] OUTCOME, overwritten where active; scratch: [>= 1] SCRATCH.
        observation: ObservationArrays of B rows, overwritten.
    """
    step_range(
        params[0], items, seed, states, slates, active, with_truth, outcomes, scratch[0], observation, 0, len(states)
    )


@compiled(parallel=True)
def step_parallel(params, items, seed, states, slates, active, with_truth, outcomes, scratch, observation):
    """``step_serial`` on several threads; scratch: [>= ceil(B / CHUNK)] SCRATCH."""
    for chunk in numba.prange((len(states) + CHUNK - 1) // CHUNK):
        start = chunk * CHUNK
        stop = min(start + CHUNK, len(states))
        step_range(
            params[0],
            items,
            seed,
            states,
            slates,
            active,
            with_truth,
            outcomes,
            scratch[chunk],
            observation,
            start,
            stop,
        )


@compiled
def reset_range(
    params, items, topic_centres, seed, states, rows, users, visits, scratch, observation, start, stop
):
    """Start the visits start..stop-1 of the lists, and write their observations."""
    for i in range(start, stop):
        row = rows[i]
        reset_user(params, items, topic_centres, seed, users[i], visits[i], states[row], scratch)
        write_observation(states[row], row, observation)


@compiled
def reset_serial(params, items, topic_centres, seed, states, rows, users, visits, scratch, observation):
    """Put user users[i] at the start of visit visits[i] into row rows[i].

    Args:
        params: [1] PARAMS; items: [N] ITEM; topic_centres: [C, D] float32; seed: uint64.
        states: [B] USER_STATE, rows overwritten; rows, users, visits: [R] int64.
        scratch: [>= 1] SCRATCH; observation: ObservationArrays of B rows, rows overwritten.
    """
    reset_range(
        params[0],
        items,
        topic_centres,
        seed,
        states,
        rows,
        users,
        visits,
        scratch[0],
        observation,
        0,
        len(rows),
    )


@compiled(parallel=True)
def reset_parallel(params, items, topic_centres, seed, states, rows, users, visits, scratch, observation):
    """``reset_serial`` on several threads; scratch: [>= ceil(R / CHUNK)] SCRATCH."""
    for chunk in numba.prange((len(rows) + CHUNK - 1) // CHUNK):
        start = chunk * CHUNK
        stop = min(start + CHUNK, len(rows))
        reset_range(
            params[0],
            items,
            topic_centres,
            seed,
            states,
            rows,
            users,
            visits,
            scratch[chunk],
            observation,
            start,
            stop,
        )


@compiled
def observe_serial(states, observation):
    """Write the observations of B users; observation: ObservationArrays of B rows, overwritten."""
    for i in range(len(states)):
        write_observation(states[i], i, observation)


@compiled
def slate_truth_serial(params, items, states, slates, scratch, truth):
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
def item_truth_user(params, items, state, utilities, values):
    """Write utility and value of a click of every item for one user; utilities, values: [N] float32."""
    for n in range(len(items)):
        item = items[n]
        item_match = match(state.interest, item)
        utilities[n] = utility(params, state, item, item_match)
        values[n] = value_of_click(params, state, item, item_match)


@compiled(parallel=True)
def item_truth_parallel(params, items, states, utilities, values):
    """``item_truth_user`` for B users on several threads; utilities, values: [B, N] float32, overwritten."""
    for i in numba.prange(len(states)):
        item_truth_user(params[0], items, states[i], utilities[i], values[i])
