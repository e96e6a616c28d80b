"""What every estimator returns: value, interval, how the weights look, and what to be warned of."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsim_env.ope.intervals import Interval, Terms

TOP_SHARE = 0.01
DOMINANT_SHARE = 0.5
DOMINANT_WEIGHT = 0.1
FEW_EFFECTIVE = 0.1
FEW_UNITS = 30
MEAN_WEIGHT_ERRORS = 4.0

Basis = Literal["weights", "model", "both"]
"""What an estimate rests on: importance weights, predicted rewards, or weights that correct predictions."""


@dataclass(frozen=True)
class Estimate:
    """An estimate of the value of a target policy, from the log of another.

    Attributes:
        estimator: name of the estimator.
        value: the estimate; NaN where it is undefined, and a warning says why.
        lower, upper: its 95% interval.
        standard_error: over units, by the delta method.
        interval: how the interval was made.
        num_rows: rows of the log; num_units: independent units among them (rows, users or sessions).
        effective_sample_size: (sum w)^2 / sum w^2, in rows (in sessions where weights are per session); how
            many rows of the target policy's own would weigh as evenly. None: the estimator uses no weights.
        largest_weight: the largest importance weight, as used. None as above.
        top_weight_share: the share of total weight in the 1% largest weights, rounded up to a whole one. None
            as above, or when all weights are 0.
        unsupported: the share of the target policy's probability, in the logged situations, on actions that
            the logging policy never takes, as far as the log tells: at least so much; None when it does not.
        warnings: sentences in plain language; empty when nothing looked wrong.
    """

    estimator: str
    value: float
    lower: float
    upper: float
    standard_error: float
    interval: str
    num_rows: int
    num_units: int
    effective_sample_size: float | None
    largest_weight: float | None
    top_weight_share: float | None
    unsupported: float | None
    warnings: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """The fields by name: one row of a table, JSON-serialisable but for NaN."""
        return asdict(self)


class Support(NamedTuple):
    """What is known of the target policy's support under the logging policy.

    Attributes:
        unsupported: as in `Estimate`.
        first_row: the first row with unsupported probability, if any.
        deterministic: whether the logging policy gave probability 1 to every logged action.
    """

    unsupported: float | None
    first_row: int | None
    deterministic: bool


class WeightSummary(NamedTuple):
    """How evenly a set of weights is spread; the fields of `Estimate`."""

    effective_sample_size: float
    largest_weight: float
    top_weight_share: float | None


def summarise_weights(weight: NDArray[np.float64]) -> WeightSummary:
    """Effective sample size, largest weight, and share of the top 1%.

    Args:
        weight: [n] float64, >= 0, n >= 1.

    Source: the effective sample size of Kish (1965); as a diagnostic of importance sampling, Owen (2013),
    sec. 9.3. The share of the top 1% is ours.
    """
    n = len(weight)
    largest = float(weight.max())
    if largest == 0:
        return WeightSummary(0.0, largest, None)
    # Relative to the largest, so that no square runs over or vanishes.
    relative = weight / largest
    total, squares = float(relative.sum()), float(relative @ relative)
    top = math.ceil(TOP_SHARE * n)
    share = float(np.partition(relative, n - top)[n - top :].sum()) / total
    return WeightSummary(total * total / squares, largest, min(1.0, share))


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else f"{share:.2g}"


def support_warnings(support: Support, basis: Basis) -> list[str]:
    """Where the log does not say what the target policy would have met."""
    found = []
    unsupported = support.unsupported or 0.0
    if support.deterministic and unsupported > 0:
        found.append(
            "no support: the logging policy was deterministic (every propensity is 1), so that the log says "
            "nothing about any other action"
        )
    if unsupported > 0:
        consequence = {
            "weights": "they are missing from this estimate, which is biased",
            "model": "for them this estimate rests on the predicted rewards alone",
            "both": "for them this estimate rests on the predicted rewards alone",
        }[basis]
        row = "" if support.first_row is None else f" (first in row {support.first_row})"
        found.append(
            f"no support: the target policy puts {_percent(unsupported)} of its probability on actions that "
            f"the logging policy never takes{row}; {consequence}"
        )
    return found


def mean_weight_warnings(weight: Terms, of: str = "importance weights") -> list[str]:
    """Importance weights average 1 under support and right propensities: say so when these do not.

    Args:
        weight: the terms of the mean weight.
        of: whose weights they are, in words.

    Source: E[w] = 1 minus the unsupported probability; Owen (2013), sec. 9.3. The threshold of 4 standard
    errors is ours: one log in 16,000 would be warned of by chance, more where weights have heavy tails.
    """
    mean, error = weight.value, weight.standard_error
    if mean == 0:
        return [
            f"all {of} are 0: the target policy never does what was logged, and the log says nothing about it"
        ]
    if weight.num_units < FEW_UNITS or abs(mean - 1) <= MEAN_WEIGHT_ERRORS * error + 1e-6:
        return []
    return [
        f"the {of} average {mean:.3g} +- {error:.2g} where 1 was to be expected: the logging policy never "
        "or too rarely does what the target policy would, or propensities are wrong"
    ]


def dominance_warnings(summary: WeightSummary, weight: NDArray[np.float64]) -> list[str]:
    """Say when a few of the weights, as used, make up most of the estimate."""
    n = len(weight)
    if summary.top_weight_share is None or n < FEW_UNITS:
        return []
    heaviest = summary.largest_weight / float(weight.sum())
    effective = summary.effective_sample_size / n
    if (
        summary.top_weight_share <= DOMINANT_SHARE
        and heaviest <= DOMINANT_WEIGHT
        and effective >= FEW_EFFECTIVE
    ):
        return []
    return [
        f"a few weights dominate: the top 1% hold {_percent(summary.top_weight_share)} of the total weight, "
        f"the largest alone {_percent(heaviest)}; the effective sample size is "
        f"{summary.effective_sample_size:.3g} of {n}, and the interval is likely too narrow"
    ]


def conclude(
    estimator: str,
    terms: Terms,
    interval: Interval,
    *,
    num_rows: int,
    support: Support,
    basis: Basis,
    weights: list[NDArray[np.float64]] | None = None,
    remarks: list[str] | None = None,
) -> Estimate:
    """Put an estimate together: value and interval from the terms, figures and warnings from the weights.

    Args:
        estimator: its name.
        terms: of the estimate, per unit.
        interval: how to make the interval.
        num_rows: rows of the log.
        support: what is known of it.
        basis: what the estimate rests on.
        weights: sets of weights as used, each [m]; the figures are those of the set with the smallest
            effective sample size. None: the estimator uses none.
        remarks: further warnings.
    """
    warnings = support_warnings(support, basis) + (remarks or [])
    summary = None
    if weights is not None:
        summaries = [summarise_weights(weight) for weight in weights]
        least = min(range(len(weights)), key=lambda which: summaries[which].effective_sample_size)
        summary = summaries[least]
        warnings += dominance_warnings(summary, weights[least])
    if math.isnan(terms.value):
        warnings.append("undefined: no weight is left to divide by")
    if terms.num_units < interval.least_units:
        count, least = terms.num_units, interval.least_units
        warnings.append(f"only {count} independent units: this interval needs at least {least}")
    lower, upper = interval.bounds(terms)
    return Estimate(
        estimator,
        terms.value,
        lower,
        upper,
        terms.standard_error,
        interval.name,
        num_rows,
        terms.num_units,
        None if summary is None else summary.effective_sample_size,
        None if summary is None else summary.largest_weight,
        None if summary is None else summary.top_weight_share,
        support.unsupported,
        tuple(warnings),
    )
