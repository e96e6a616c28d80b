"""Estimators of the mean return of a session, from cumulative importance weights.

rho_t = target propensity / logging propensity at step t, w_t = rho_0 ... rho_t, w_{-1} = 1, r_t the reward,
q_t and v_t the predicted values of the logged action and of the target policy; means are over sessions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recsim_env.ope.estimate import Basis, Estimate, conclude
from recsim_env.ope.intervals import NORMAL, Interval, Ratio, Terms
from recsim_env.ope.sessions import LoggedSessions, PredictedValues


def trajectory_is(
    sessions: LoggedSessions, *, self_normalised: bool = False, interval: Interval = NORMAL
) -> Estimate:
    """Trajectory-wise importance sampling: mean(w_last sum_t discount^t r_t).

    Unbiased under support; its variance grows exponentially with the length of sessions. Self-normalised:
    sum(w_last G) / sum(w_last) over sessions of return G, consistent and of less variance.

    Source: Precup, Sutton and Singh (2000), in both forms; Thomas (2015), ch. 3.
    """
    weight = sessions.session_weight
    values = weight * sessions.total(sessions.discounts * sessions.reward)
    terms = sessions.terms((values, weight if self_normalised else None))
    return _conclude(_name("trajectory_is", self_normalised), sessions, terms, "weights", interval)


def per_decision_is(
    sessions: LoggedSessions, *, self_normalised: bool = False, interval: Interval = NORMAL
) -> Estimate:
    """Per-decision importance sampling: mean(sum_t discount^t w_t r_t).

    Unbiased under support: a reward is weighted by the decisions before it only, not by those after.
    Self-normalised: at each step the weights are divided by their mean over all sessions; one that has ended
    keeps the weight it ended with, without which the long sessions would be counted too much. That takes 16
    bytes for each session and step of the longest one.

    Source: Precup, Sutton and Singh (2000); weighted per step, the consistent form (CWPDIS) of Thomas (2015),
    ch. 3.
    """
    values = sessions.cumulative_weight * sessions.reward
    if self_normalised:
        terms = sessions.terms(*_per_step(sessions, values))
    else:
        terms = sessions.terms((sessions.total(sessions.discounts * values), None))
    return _conclude(_name("per_decision_is", self_normalised), sessions, terms, "weights", interval)


def sequential_dr(
    sessions: LoggedSessions,
    predicted: PredictedValues,
    *,
    self_normalised: bool = False,
    interval: Interval = NORMAL,
) -> Estimate:
    """Sequential doubly robust: mean(sum_t discount^t (w_t (r_t - q_t) + w_{t-1} v_t)).

    Unbiased under support and right propensities, whatever the model predicts; of small variance when it
    predicts well. Self-normalised (weighted DR): w_t and w_{t-1} divided by their means, as in
    `per_decision_is`.

    Source: Jiang and Li (2016), eq. 10, unrolled; Thomas and Brunskill (2016), DR and weighted DR.
    """
    if len(predicted) != len(sessions):
        raise ValueError(f"predicted: expected {len(sessions)} rows like sessions, got {len(predicted)}")
    corrections = sessions.cumulative_weight * (sessions.reward - predicted.logged)
    baseline = sessions.previous_weight * predicted.target
    if self_normalised:
        ratios = [*_per_step(sessions, corrections), *_per_step(sessions, baseline, before=True)]
        terms = sessions.terms(*ratios)
    else:
        terms = sessions.terms((sessions.total(sessions.discounts * (corrections + baseline)), None))
    return _conclude(_name("sequential_dr", self_normalised), sessions, terms, "both", interval)


def _per_step(sessions: LoggedSessions, values: NDArray[np.float64], *, before: bool = False) -> list[Ratio]:
    """One ratio a step t: discount^t values over the weights of all sessions, ended ones with their last.

    Args:
        sessions: G of them.
        values: [n], weighted.
        before: divide by w_{t-1} instead of w_t.
    """
    ratios: list[Ratio] = []
    weight = np.ones(sessions.num_sessions)
    for t, (reached, rows) in enumerate(sessions.steps()):
        top = np.zeros(sessions.num_sessions)
        top[reached] = sessions.discount**t * values[rows]
        earlier = weight.copy()
        weight[reached] = sessions.cumulative_weight[rows]
        ratios.append((top, earlier if before else weight.copy()))
    return ratios


def _name(name: str, self_normalised: bool) -> str:
    return f"{name}_sn" if self_normalised else name


def _conclude(
    name: str, sessions: LoggedSessions, terms: Terms, basis: Basis, interval: Interval
) -> Estimate:
    return conclude(
        name,
        terms,
        interval,
        num_rows=len(sessions),
        support=sessions.support,
        basis=basis,
        weights=[sessions.session_weight],
        remarks=sessions.weight_remarks,
    )
