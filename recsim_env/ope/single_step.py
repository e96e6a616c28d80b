"""Estimators of the mean reward of single decisions, from weights, from predicted rewards, or from both.

w = target propensity / logging propensity of the logged action, r the reward, q the predicted reward of the
logged action, v the predicted reward of the target policy; means are over rows, intervals over units.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from recsim_env.ope.checks import number
from recsim_env.ope.decisions import LoggedDecisions, PredictedRewards
from recsim_env.ope.estimate import Basis, Estimate, conclude
from recsim_env.ope.intervals import NORMAL, Interval, Terms


def ips(decisions: LoggedDecisions, *, interval: Interval = NORMAL) -> Estimate:
    """Inverse propensity scoring: mean(w r).

    Unbiased where the logging policy supports the target policy and propensities are right; the variance
    grows with the largest weights.

    Source: Horvitz and Thompson (1952); for logged decisions, Strehl et al. (2010).
    """
    weight = decisions.importance_weight
    terms = decisions.terms((weight * decisions.reward, None))
    return _conclude("ips", decisions, terms, weight, "weights", interval)


def clipped_ips(
    decisions: LoggedDecisions, *, max_weight: float | None = None, interval: Interval = NORMAL
) -> Estimate:
    """IPS with weights cut at `max_weight` M: mean(min(w, M) r).

    Biased towards 0 by what is cut off, and of less variance.

    Args:
        decisions: the log.
        max_weight: M > 0; None: sqrt(n), with which the bias vanishes as the log grows.
        interval: how to make it; it does not count the bias.

    Source: Ionides (2008), truncation at the rate sqrt(n); Bottou et al. (2013), sec. 4.4.
    """
    limit = default_max_weight(len(decisions)) if max_weight is None else max_weight
    limit = number("max_weight", limit, 0, open_low=True)
    weight = np.minimum(decisions.importance_weight, limit)
    terms = decisions.terms((weight * decisions.reward, None))
    cut = _changed(decisions.importance_weight > limit)
    return _conclude("clipped_ips", decisions, terms, weight, "weights", interval, cut)


def snips(decisions: LoggedDecisions, *, interval: Interval = NORMAL) -> Estimate:
    """Self-normalised IPS: sum(w r) / sum(w).

    Consistent, with a bias of order 1/n; stays within the range of the rewards, and adding a constant to all
    rewards adds the same to the estimate. Missing support goes unnoticed in the value: mind the warnings.

    Source: Swaminathan and Joachims (2015); Owen (2013), sec. 9.2, with its delta-method variance.
    """
    weight = decisions.importance_weight
    terms = decisions.terms((weight * decisions.reward, weight))
    return _conclude("snips", decisions, terms, weight, "weights", interval)


def dm(decisions: LoggedDecisions, predicted: PredictedRewards, *, interval: Interval = NORMAL) -> Estimate:
    """Direct method: mean(v). As right as the reward model, and the interval does not know how right that is.

    Source: Dudik, Langford and Li (2011), sec. 2, by this name.
    """
    _check_rows(decisions, predicted)
    terms = decisions.terms((predicted.target, None))
    return _conclude("dm", decisions, terms, None, "model", interval)


def dr(decisions: LoggedDecisions, predicted: PredictedRewards, *, interval: Interval = NORMAL) -> Estimate:
    """Doubly robust: mean(v + w (r - q)).

    Unbiased when the propensities are right, whatever the model predicts, and when the model is right,
    whatever the propensities are; the better the model, the less the weights add to the variance.

    Source: Dudik, Langford and Li (2011), eq. 1; Robins, Rotnitzky and Zhao (1994).
    """
    return _corrected("dr", decisions, predicted, decisions.importance_weight, interval)


def sndr(decisions: LoggedDecisions, predicted: PredictedRewards, *, interval: Interval = NORMAL) -> Estimate:
    """Self-normalised doubly robust: mean(v) + sum(w (r - q)) / sum(w).

    Source: Thomas and Brunskill (2016), the weighted doubly robust estimator, for one step.
    """
    _check_rows(decisions, predicted)
    weight = decisions.importance_weight
    residual = decisions.reward - predicted.logged
    terms = decisions.terms((predicted.target, None), (weight * residual, weight))
    return _conclude("sndr", decisions, terms, weight, "both", interval)


def switch_dr(
    decisions: LoggedDecisions,
    predicted: PredictedRewards,
    *,
    max_weight: float | None = None,
    interval: Interval = NORMAL,
) -> Estimate:
    """DR that leaves rows of large weight to the model: mean(v + w [w <= M] (r - q)).

    M = 0 is the direct method, M = infinity is DR.

    Args:
        decisions, predicted: the log, and what a model predicts for it.
        max_weight: M >= 0; None: sqrt(n), as in `clipped_ips`.
        interval: how to make it; it does not count the bias.

    Source: Wang, Agarwal and Dudik (2017), SWITCH with the doubly robust estimate below the threshold.
    """
    limit = default_max_weight(len(decisions)) if max_weight is None else max_weight
    limit = number("max_weight", limit, 0)
    switched = decisions.importance_weight > limit
    weight = np.where(switched, 0.0, decisions.importance_weight)
    return _corrected("switch_dr", decisions, predicted, weight, interval, _changed(switched))


def dr_shrinkage(
    decisions: LoggedDecisions,
    predicted: PredictedRewards,
    *,
    shrinkage: float | None = None,
    interval: Interval = NORMAL,
) -> Estimate:
    """DR with optimistic shrinkage of the weights: mean(v + lambda w / (w^2 + lambda) (r - q)).

    lambda = 0 is the direct method, lambda = infinity is DR; no shrunk weight exceeds sqrt(lambda) / 2.

    Args:
        decisions, predicted: the log, and what a model predicts for it.
        shrinkage: lambda >= 0; None: n, so that shrunk weights stay below sqrt(n) / 2.
        interval: how to make it; it does not count the bias.

    Source: Su et al. (2020), optimistic shrinkage. The default for lambda is ours, after Ionides (2008).
    """
    limit = number("shrinkage", len(decisions) if shrinkage is None else shrinkage, 0)
    weight = decisions.importance_weight
    if limit == 0:
        weight = np.zeros_like(weight)
    elif limit < math.inf:
        weight = weight / (weight * weight / limit + 1)
    remarks = ["every weight is shrunk to 0: this is the direct method"] if limit == 0 else []
    return _corrected("dr_shrinkage", decisions, predicted, weight, interval, remarks)


def default_max_weight(num_rows: int) -> float:
    """sqrt(n): the truncation whose bias and variance both vanish. Source: Ionides (2008)."""
    return math.sqrt(num_rows)


def _changed(changed: NDArray[np.bool_]) -> list[str]:
    """Say how many weights were cut, if any: that is where bias may come from."""
    count = int(np.count_nonzero(changed))
    return [f"{count} of {len(changed)} weights were cut, which may bias the estimate"] if count else []


def _check_rows(decisions: LoggedDecisions, predicted: PredictedRewards) -> None:
    if len(predicted) != len(decisions):
        raise ValueError(f"predicted: expected {len(decisions)} rows like decisions, got {len(predicted)}")


def _corrected(
    name: str,
    decisions: LoggedDecisions,
    predicted: PredictedRewards,
    weight: NDArray[np.float64],
    interval: Interval,
    remarks: list[str] | None = None,
) -> Estimate:
    """The estimators of the form mean(v + weight (r - q))."""
    _check_rows(decisions, predicted)
    values = decisions.reward - predicted.logged
    values *= weight
    values += predicted.target
    return _conclude(name, decisions, decisions.terms((values, None)), weight, "both", interval, remarks)


def _conclude(
    name: str,
    decisions: LoggedDecisions,
    terms: Terms,
    weight: NDArray[np.float64] | None,
    basis: Basis,
    interval: Interval,
    remarks: list[str] | None = None,
) -> Estimate:
    return conclude(
        name,
        terms,
        interval,
        num_rows=len(decisions),
        support=decisions.support,
        basis=basis,
        weights=None if weight is None else [weight],
        remarks=decisions.weight_remarks + (remarks or []),
    )
