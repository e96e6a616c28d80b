"""Marginalised importance sampling: weights of states and actions instead of whole histories."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim_env.ope.checks import indices, numbers, offending
from recsim_env.ope.estimate import Estimate, conclude
from recsim_env.ope.intervals import NORMAL, Interval
from recsim_env.ope.sessions import LoggedSessions


def marginal_is(
    sessions: LoggedSessions,
    state_action_ratio: ArrayLike,
    *,
    interval: Interval = NORMAL,
) -> Estimate:
    """Marginalised (state-action) importance sampling: mean over sessions of sum_t discount^t d_t r_t.

    d_t is how much more often, in expectation per session, the target policy meets this state and takes this
    action (at this step, or over all steps) than the logging policy: no product over the history, so that the
    variance does not explode with the length of sessions. Unbiased with the true ratios when the state is
    Markov. The interval takes the ratios as known: for a table of states `tabular_marginal_is` estimates them
    and counts their error.

    Args:
        sessions: the log.
        state_action_ratio: [n] float64 >= 0, d_t of each row: of discounted, expected visits, both counted
            from the start of a session. `state_ratio` times `sessions.step_weight` estimates it.
        interval: how to make it.

    Source: Liu et al. (2018); for state-action pairs, Uehara, Huang and Jiang (2020).
    """
    ratio = _ratios("state_action_ratio", state_action_ratio, len(sessions))
    terms = sessions.terms((sessions.total(sessions.discounts * ratio * sessions.reward), None))
    return conclude(
        "marginal_is",
        terms,
        interval,
        num_rows=len(sessions),
        support=sessions.support,
        basis="weights",
        weights=[ratio],
        remarks=sessions.step_weight_remarks,
    )


def state_ratio(
    sessions: LoggedSessions, state: ArrayLike, num_states: int, *, by_step: bool = True
) -> NDArray[np.float64]:
    """[n] float64 >= 0: estimated ratio of the target's to the logging policy's visits to each row's state.

    By step: ratio_0 = 1, and ratio_{t+1}(s') is the mean of ratio_t(s_t) rho_t over the sessions that are in
    s' at step t + 1. Over all steps at once: the ratio solves, for every state s',

    ratio(s') D(s') = D_0(s') + discount sum_s ratio(s) M(s, s')

    with D(s) the discounted visits per session, D_0 the starts, and M(s, s') the discounted transitions, each
    weighted by rho. The latter has fewer numbers to estimate, and takes it that a state is left in the same
    way at every step and that no session was cut off by a horizon.

    Args:
        sessions: the log.
        state: [n] int in [0, num_states), a Markov state: reward and next state depend on it and the action.
        num_states: S.
        by_step: whether each step has ratios of its own.

    Source: by step, Xie, Ma and Wang (2019), sec. 3; over all steps, Liu et al. (2018), its fixed point with
    indicators of states as test functions, for sessions that end.
    """
    states = indices("state", state, num_states, len(sessions))
    if by_step:
        return _ratio_by_step(sessions, states, num_states)
    return _ratio_pooled(sessions, states, num_states)


def tabular_marginal_is(
    sessions: LoggedSessions,
    state: ArrayLike,
    num_states: int,
    *,
    by_step: bool = True,
    interval: Interval = NORMAL,
) -> Estimate:
    """`marginal_is` with the ratios of `state_ratio`, and an interval that counts their error.

    Unlike sequential DR it needs no model, and its weights are those of one step. The states must say
    everything that matters: with the states of a table that do not, the estimate is biased.

    influence = v(s_0) - value + sum_t discount^t ratio_t (rho_t (r_t + discount v(s_{t+1})) - v(s_t))

    with v the values that the same tables imply: v(s) is the mean of rho (r + discount v(s')) over the rows
    in s, at the same step or at any.

    Args:
        sessions, state, num_states, by_step: as in `state_ratio`.
        interval: how to make it, from the influences.

    Source: Xie, Ma and Wang (2019), sec. 3, for the estimate; the influence is the efficient one of Kallus
    and Uehara (2020) for Markov decision processes, with the tables in place of its nuisances.
    """
    states = indices("state", state, num_states, len(sessions))
    ratio = state_ratio(sessions, states, num_states, by_step=by_step)
    if by_step:
        value = _value_by_step(sessions, states, num_states)
    else:
        value = _value_pooled(sessions, states, num_states)
    rho = sessions.step_weight
    error = rho * (sessions.reward + sessions.discount * sessions.following(value)) - value
    influence = value[sessions.starts] + sessions.total(sessions.discounts * ratio * error)
    estimate = float((sessions.discounts * ratio * rho) @ sessions.reward) / sessions.num_sessions
    # Both tables imply the same value, but where a ratio was held at 0; the interval is the estimate's.
    terms = sessions.terms((influence - influence.mean() + estimate, None), linearised=True)
    return conclude(
        "tabular_marginal_is",
        terms,
        interval,
        num_rows=len(sessions),
        support=sessions.support,
        basis="weights",
        weights=[ratio * rho],
        remarks=sessions.step_weight_remarks,
    )


def _ratio_by_step(
    sessions: LoggedSessions, state: NDArray[np.int64], num_states: int
) -> NDArray[np.float64]:
    ratio = np.ones(len(sessions))
    for t, (_, rows) in enumerate(sessions.steps()):
        if t:
            carried = ratio[rows - 1] * sessions.step_weight[rows - 1]
            ratio[rows] = _mean_by_state(carried, state[rows], num_states)
    return ratio


def _value_by_step(
    sessions: LoggedSessions, state: NDArray[np.int64], num_states: int
) -> NDArray[np.float64]:
    """[n] float64: v of each row's state at its step."""
    value = np.zeros(len(sessions))
    last = sessions.last
    for _, rows in reversed(list(sessions.steps())):
        going = rows[~last[rows]]
        ahead = sessions.reward[rows]
        ahead[~last[rows]] += sessions.discount * value[going + 1]
        ahead *= sessions.step_weight[rows]
        value[rows] = _mean_by_state(ahead, state[rows], num_states)
    return value


def _mean_by_state(
    values: NDArray[np.float64], state: NDArray[np.int64], num_states: int
) -> NDArray[np.float64]:
    """Each row's mean of values over the rows of the same state."""
    count = np.bincount(state, minlength=num_states)
    total = np.bincount(state, weights=values, minlength=num_states)
    return (total / np.maximum(count, 1))[state]


def _ratio_pooled(sessions: LoggedSessions, state: NDArray[np.int64], num_states: int) -> NDArray[np.float64]:
    seen, system = _pooled_system(sessions, state, num_states)
    starts = np.bincount(state[sessions.starts], minlength=num_states)[seen].astype(np.float64)
    solution = np.zeros(num_states)
    solution[seen] = np.linalg.lstsq(system.T, starts, rcond=None)[0]
    # Sampling error can push the ratio of a rare state below 0, where no ratio is.
    return np.maximum(solution, 0.0)[state]


def _value_pooled(sessions: LoggedSessions, state: NDArray[np.int64], num_states: int) -> NDArray[np.float64]:
    """[n] float64: v of each row's state, the same at all steps."""
    seen, system = _pooled_system(sessions, state, num_states)
    weighted = sessions.discounts * sessions.step_weight * sessions.reward
    rewards = np.bincount(state, weights=weighted, minlength=num_states)[seen]
    solution = np.zeros(num_states)
    solution[seen] = np.linalg.lstsq(system, rewards, rcond=None)[0]
    return solution[state]


def _pooled_system(
    sessions: LoggedSessions, state: NDArray[np.int64], num_states: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The states that were seen, and diag(D) - discount M among them."""
    S = num_states
    visits = np.bincount(state, weights=sessions.discounts, minlength=S)
    before = np.flatnonzero(~sessions.last)
    flow = np.bincount(
        state[before] * S + state[before + 1],
        weights=sessions.discount * sessions.discounts[before] * sessions.step_weight[before],
        minlength=S * S,
    ).reshape(S, S)
    seen = np.flatnonzero(visits).astype(np.int64)
    system = np.diag(visits[seen]) - flow[np.ix_(seen, seen)]
    return seen, system.astype(np.float64, copy=False)


def _ratios(name: str, values: ArrayLike, num_rows: int) -> NDArray[np.float64]:
    ratio = numbers(name, values, num_rows)
    offending(name, ratio < 0, ratio, "a ratio >= 0")
    return ratio
