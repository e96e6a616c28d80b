"""Fitted Q evaluation with linear or tabular features: predicted values, and an estimate from them alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim_env.ope.checks import indices, number, numbers
from recsim_env.ope.estimate import Estimate, conclude
from recsim_env.ope.intervals import NORMAL, Interval
from recsim_env.ope.sessions import LoggedSessions, PredictedValues


@dataclass(frozen=True, eq=False)
class FittedQ:
    """A linear value function of the target policy, q(s, a) = x(s, a) b.

    Attributes:
        coefficients: [d] float64, b.
        predicted: the values of the rows it was fitted on.
        num_iterations: regressions done.
        inverse: [d, d] float64, what turns the error of the fixed point into an error of b.
    """

    coefficients: NDArray[np.float64]
    predicted: PredictedValues
    num_iterations: int
    inverse: NDArray[np.float64]


def fit_q(
    sessions: LoggedSessions,
    features_logged: ArrayLike,
    features_target: ArrayLike,
    *,
    ridge: float = 0.0,
    tolerance: float = 1e-10,
    max_iterations: int = 10_000,
) -> FittedQ:
    """Fitted Q evaluation: regress r + discount v(s') on x(s, a) again and again, until b stays the same.

    b <- argmin_b sum_i (r_i + discount v_i' - x_i b)^2 + ridge |b|^2,  v_i' = features_target of the next row
    times the b before, 0 after the last row of a session

    A session that a horizon cut ends there, as in `LoggedSessions`; then v depends on the step too, and
    features that do not tell it make the values wrong.

    Args:
        sessions: the log.
        features_logged: [n, d] features x of situation and logged action.
        features_target: [n, d] the mean of x over the target policy's actions in the same situation.
        ridge: >= 0.
        tolerance: > 0, the largest change of a coefficient, as a share of the largest one, at which b counts
            as found.
        max_iterations: int >= 1.

    Raises:
        ValueError: b is not found within `max_iterations`: with linear features the iteration may diverge.

    Source: Le, Voloshin and Yue (2019), Algorithm 3; Ernst, Geurts and Wehenkel (2005) for the iteration.
    """
    n = len(sessions)
    X = numbers("features_logged", features_logged, n, None)
    d = X.shape[1]
    V = numbers("features_target", features_target, n, d)
    ridge = number("ridge", ridge, 0)
    number("tolerance", tolerance, 0, open_low=True)
    V_next = sessions.following(V)
    # Linearly dependent features, or those never seen, have the solution of least norm.
    solve = np.linalg.pinv(X.T @ X + ridge * np.eye(d), hermitian=True)
    from_reward = solve @ (X.T @ sessions.reward)
    from_value = sessions.discount * (solve @ (X.T @ V_next))
    b = np.zeros(d)
    for iteration in range(1, max_iterations + 1):
        with np.errstate(over="ignore", invalid="ignore"):
            after = from_reward + from_value @ b
            change = np.abs(after - b).max()
        b = after
        if not np.isfinite(change):
            break
        if change <= tolerance * max(1e-300, float(np.abs(b).max())):
            inverse = np.linalg.pinv(np.eye(d) - from_value) @ solve
            return FittedQ(b, PredictedValues(X @ b, V @ b), iteration, inverse)
    raise ValueError(
        f"fitted Q evaluation has not settled within {max_iterations} iterations (last change {change:.3g}); "
        "use a smaller discount, other features or a ridge penalty"
    )


def fqe(
    sessions: LoggedSessions,
    features_logged: ArrayLike,
    features_target: ArrayLike,
    *,
    ridge: float = 0.0,
    interval: Interval = NORMAL,
) -> Estimate:
    """The mean predicted value at the start of sessions, from `fit_q`.

    No importance weights: as right as the features, and blind to actions that were never logged. The interval
    counts that b was estimated, not that the features may be wrong; it is that of the equations that b
    solves, by units (sessions):

    influence = v(s_0) - value + mean(x_target(s_0)) A^-1 sum_t x_t (r_t + discount v_{t+1} - q_t)

    Args:
        sessions, features_logged, features_target, ridge: as in `fit_q`.
        interval: how to make it, from the influences.

    Source: Le, Voloshin and Yue (2019), Algorithm 3; the interval is that of a Z-estimator, van der Vaart
    (1998), theorem 5.21, as for FQE in Hao et al. (2021).
    """
    fitted = fit_q(sessions, features_logged, features_target, ridge=ridge)
    X = np.asarray(features_logged, dtype=np.float64)
    V = np.asarray(features_target, dtype=np.float64)
    predicted = fitted.predicted
    after = sessions.following(predicted.target)
    error = sessions.reward + sessions.discount * after - predicted.logged
    start = V[sessions.starts].mean(axis=0) @ fitted.inverse
    # The coefficients' part averages 0 over sessions but for the ridge's pull: it moves the spread alone.
    moved = sessions.num_sessions * sessions.total((X @ start) * error)
    terms = sessions.terms((predicted.target[sessions.starts] + moved - moved.mean(), None), linearised=True)
    return conclude(
        "fqe",
        terms,
        interval,
        num_rows=len(sessions),
        support=sessions.support,
        basis="model",
        remarks=sessions.step_weight_remarks,
    )


def tabular_features(
    state: ArrayLike, action: ArrayLike, target_probs: ArrayLike, num_states: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Features of a table: one per state and action.

    Args:
        state: [n] int in [0, num_states).
        action: [n] int in [0, N), the logged actions.
        target_probs: [n, N], each row sums to 1.
        num_states: S.

    Returns:
        features_logged and features_target of `fit_q`, each [n, S N] float64.
    """
    target = numbers("target_probs", target_probs, None, None)
    n, N = target.shape
    state = indices("state", state, num_states, n)
    action = indices("action", action, N, n)
    row = np.arange(n)
    logged = np.zeros((n, num_states, N))
    logged[row, state, action] = 1.0
    mean = np.zeros((n, num_states, N))
    mean[row, state] = target
    return logged.reshape(n, -1), mean.reshape(n, -1)
