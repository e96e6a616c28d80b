"""MRDR: a linear reward model that is fitted for the variance of the doubly robust estimate it enters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim_env.ope.checks import number, numbers
from recsim_env.ope.decisions import LoggedDecisions, PredictedRewards
from recsim_env.ope.estimate import Estimate
from recsim_env.ope.intervals import NORMAL, Interval
from recsim_env.ope.single_step import dr


def mrdr_weight(decisions: LoggedDecisions) -> NDArray[np.float64]:
    """[n] float64 >= 0: how much each row counts when a reward model for DR is fitted by least squares.

    target (1 - logging) / logging^2, propensities of the logged action

    With these weights the squared error of the model is the variance that the weights add to DR, exactly so
    when the target policy is deterministic and approximately otherwise. Any model with sample weights can be
    fitted with them. A row of logging propensity 1 adds no variance and counts 0.

    Source: Farajtabar, Chow and Ghavamzadeh (2018), the bandit objective for a deterministic target policy.
    """
    logging = decisions.logging_propensity
    return decisions.target_propensity * np.maximum(0.0, 1 - logging) / (logging * logging)


def fit_linear(
    features: ArrayLike, reward: ArrayLike, weight: ArrayLike | None = None, *, ridge: float = 0.0
) -> NDArray[np.float64]:
    """[d] float64: the coefficients of least squares, min sum_i weight_i (r_i - x_i b)^2 + ridge |b|^2.

    Where features are linearly dependent, the solution of least norm.

    Args:
        features: [n, d].
        reward: [n].
        weight: [n] >= 0; None: 1 for all.
        ridge: >= 0.

    Source: Hoerl and Kennard (1970), eq. 2.1.
    """
    X = numbers("features", features, None, None)
    n, d = X.shape
    y = numbers("reward", reward, n)
    weighted = X if weight is None else X * numbers("weight", weight, n)[:, None]
    normal = weighted.T @ X + number("ridge", ridge, 0) * np.eye(d)
    return np.linalg.lstsq(normal, weighted.T @ y, rcond=None)[0].astype(np.float64, copy=False)


def mrdr(
    decisions: LoggedDecisions,
    features_logged: ArrayLike,
    features_target: ArrayLike,
    *,
    folds: int = 2,
    ridge: float = 0.0,
    interval: Interval = NORMAL,
) -> Estimate:
    """More robust doubly robust: DR with a linear reward model fitted with `mrdr_weight`, across folds.

    The rows of a fold are predicted by a model of all other folds, so that no prediction has seen its own
    reward; unit u is in fold u mod `folds`. Fitted on its own rows (folds = 1) the estimate is biased by an
    order of d/n, and its interval is too narrow.

    Args:
        decisions: the log.
        features_logged: [n, d] features of situation and logged action.
        features_target: [n, d] the mean of those features over the target policy's actions.
        folds: int >= 1, at most the number of units.
        ridge: as in `fit_linear`.
        interval: how to make it.

    Source: Farajtabar, Chow and Ghavamzadeh (2018); cross-fitting as in Chernozhukov et al. (2018),
    definition 3.2.
    """
    n = len(decisions)
    logged = numbers("features_logged", features_logged, n, None)
    target = numbers("features_target", features_target, n, logged.shape[1])
    units = decisions.units
    if not 1 <= folds <= units.num_units:
        raise ValueError(f"folds: expected 1..{units.num_units} (one unit a fold at least), got {folds}")
    fold = (np.arange(n) if units.code is None else units.code) % folds
    weight = mrdr_weight(decisions)
    predicted_logged, predicted_target = np.empty(n), np.empty(n)
    for own in range(folds):
        rows = fold == own
        seen = slice(None) if folds == 1 else ~rows
        coefficients = fit_linear(logged[seen], decisions.reward[seen], weight[seen], ridge=ridge)
        predicted_logged[rows] = logged[rows] @ coefficients
        predicted_target[rows] = target[rows] @ coefficients
    estimate = dr(decisions, PredictedRewards(predicted_logged, predicted_target), interval=interval)
    return replace(estimate, estimator="mrdr")
