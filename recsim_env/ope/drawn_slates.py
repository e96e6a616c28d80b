"""Slates drawn slot by slot without replacement: the probability of an item at its position."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_LEFT = 1e-9
FEW_ITEMS = 64
"""Up to so many items all pairs of them are summed over for what stands at position 2."""


def drawn_conditionals(prob: NDArray[np.float64], slate: NDArray[np.int64]) -> NDArray[np.float64]:
    """[b, K]: p(a_k) / (1 - sum_{j<k} p(a_j)), what is left added up from the last one backwards.

    Source: Plackett (1975), "The analysis of permutations".
    """
    shown = np.take_along_axis(prob, slate, axis=1)
    rest = prob.copy()
    np.put_along_axis(rest, slate, 0.0, axis=1)
    left = rest.sum(axis=1, keepdims=True) + np.cumsum(shown[:, ::-1], axis=1)[:, ::-1]
    return np.divide(shown, left, out=np.zeros_like(shown), where=left > 0)


def drawn_marginals(prob: NDArray[np.float64], slate: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """[b, K]: the probability of each item at its position, whatever is above it, for K <= 3; else None.

    Position 1: p(a) sum_{b != a} p(b) / (1 - p(b)); position 2: p(a) times the sum over ordered pairs (b, c)
    without a of p(b) p(c) / ((1 - p(b)) (1 - p(b) - p(c))).

    Source: ours, by summing Plackett (1975) over what is above.
    """
    K = slate.shape[1]
    if K > 3 or (K > 2 and prob.shape[1] > FEW_ITEMS) or prob.max() > 1 - LEAST_LEFT:
        return None
    shown = np.take_along_axis(prob, slate, axis=1)
    first = prob / (1 - prob)
    columns = [shown[:, 0]]
    if K > 1:
        own = np.take_along_axis(first, slate[:, 1:2], axis=1)[:, 0]
        columns.append(shown[:, 1] * (first.sum(axis=1) - own))
    if K > 2:
        left = 1 - prob[:, :, None] - prob[:, None, :]
        np.einsum("bii->bi", left)[:] = np.inf
        if left.min() < LEAST_LEFT:
            return None
        pair = first[:, :, None] * prob[:, None, :] / left
        ends = pair.sum(axis=1) + pair.sum(axis=2)
        own = np.take_along_axis(ends, slate[:, 2:3], axis=1)[:, 0]
        columns.append(shown[:, 2] * (pair.sum(axis=(1, 2)) - own))
    return np.stack(columns, axis=1)
