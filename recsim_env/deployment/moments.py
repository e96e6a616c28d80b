"""Moments: what strategies and tests know of a batch, as counts and sums for each run, segment and arm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Moments = NDArray[np.float64]
"""[3, R, S, A] (or [3, R, A] without segments): how many responses, their sum, the sum of their squares."""

COUNT, TOTAL, SQUARE = 0, 1, 2


def moments_of(
    arm: NDArray[np.int64],
    segment: NDArray[np.int64],
    response: NDArray[np.float64],
    num_segments: int,
    num_arms: int,
) -> Moments:
    """The moments of single responses, as one run.

    Args:
        arm: [n] in [0, num_arms); segment: [n] in [0, num_segments); response: [n] finite.

    Returns:
        [3, 1, num_segments, num_arms] float64.
    """
    cell = segment * num_arms + arm
    size = num_segments * num_arms
    sums = [np.bincount(cell, weights, size) for weights in (None, response, response**2)]
    return np.array(sums, np.float64).reshape(3, 1, num_segments, num_arms)


def means(moments: Moments) -> NDArray[np.float64]:
    """Mean response of each cell, 0 where there is none; the leading axis of the moments is gone."""
    return moments[TOTAL] / np.maximum(moments[COUNT], 1.0)


def pooled_variance(moments: Moments) -> NDArray[np.float64]:
    """Variance of a response around its own cell's mean, pooled over the last axis; 0 without responses.

    Args:
        moments: [3, R, A].

    Returns:
        [R] float64, with divisor n, not n - A.
    """
    within = moments[SQUARE] - moments[TOTAL] ** 2 / np.maximum(moments[COUNT], 1.0)
    variance: NDArray[np.float64] = np.maximum(within, 0.0).sum(-1) / np.maximum(moments[COUNT].sum(-1), 1.0)
    return variance
