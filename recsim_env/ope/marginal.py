"""Marginalised importance sampling: weights of states and actions instead of whole histories."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim_env.ope.checks import indices, numbers, offending
from recsim_env.ope.estimate import Estimate, conclude
from recsim_env.ope.intervals import NORMAL, Interval, Terms
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
    Markov. The interval takes the ratios as known; estimated ones add an error that it does not count.

    Args:
        sessions: the log.
        state_action_ratio: [n] float64 >= 0, d_t of each row: of discounted, expected visits, both counted
            from the start of a session. `state_ratio` times `sessions.step_weight` estimates it.
        interval: how to make it.

    Source: Liu et al. (2018); for state-action pairs, Uehara, Huang and Jiang (2020).
    """
    ratio = _ratios("state_action_ratio", state_action_ratio, len(sessions))
    terms = Terms(((sessions.total(sessions.discounts * ratio * sessions.reward), None),))
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


def _ratio_by_step(
    sessions: LoggedSessions, state: NDArray[np.int64], num_states: int
) -> NDArray[np.float64]:
    ratio = np.ones(len(sessions))
    for t, (_, rows) in enumerate(sessions.steps()):
        if t:
            carried = ratio[rows - 1] * sessions.step_weight[rows - 1]
            count = np.bincount(state[rows], minlength=num_states)
            total = np.bincount(state[rows], weights=carried, minlength=num_states)
            ratio[rows] = (total / np.maximum(count, 1))[state[rows]]
    return ratio


def _ratio_pooled(sessions: LoggedSessions, state: NDArray[np.int64], num_states: int) -> NDArray[np.float64]:
    S = num_states
    visits = np.bincount(state, weights=sessions.discounts, minlength=S)
    starts = np.bincount(state[sessions.starts], minlength=S).astype(np.float64)
    before = np.flatnonzero(sessions.step > 0) - 1
    flow = np.bincount(
        state[before] * S + state[before + 1],
        weights=sessions.discount * sessions.discounts[before] * sessions.step_weight[before],
        minlength=S * S,
    ).reshape(S, S)
    seen = np.flatnonzero(visits)
    system = np.diag(visits[seen]) - flow[np.ix_(seen, seen)].T
    solution = np.zeros(S)
    solution[seen] = np.linalg.lstsq(system, starts[seen], rcond=None)[0]
    # Sampling error can push the ratio of a rare state below 0, where no ratio is.
    return np.maximum(solution, 0.0)[state]


def _ratios(name: str, values: ArrayLike, num_rows: int) -> NDArray[np.float64]:
    ratio = numbers(name, values, num_rows)
    offending(name, ratio < 0, ratio, "a ratio >= 0")
    return ratio
