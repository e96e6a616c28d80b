"""What tallies share: actions as slates, and arrays that grow with what a stream has shown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def as_slates(action: NDArray) -> NDArray[np.int64]:
    """[n, K] items of actions that are items [n] or slates [n, K]."""
    items = np.asarray(action)
    return items[:, None] if items.ndim == 1 else items


def weights_of(position_weight: NDArray[np.floating] | None, num_slots: int) -> NDArray[np.float64]:
    """[K] what an impression counts at each position of a slate: 1 without weights."""
    weight = 1.0 if position_weight is None else position_weight
    return np.broadcast_to(np.asarray(weight, np.float64), num_slots)


def grown(array: NDArray, length: int) -> NDArray:
    """The array with zeros behind it, if it is shorter than `length` along its first axis."""
    missing = length - len(array)
    return np.pad(array, [(0, missing)] + [(0, 0)] * (array.ndim - 1)) if missing > 0 else array


def added(first: NDArray, second: NDArray) -> NDArray:
    """The sum of two arrays, the shorter one continued with zeros."""
    total = grown(first, len(second)).copy()
    total[: len(second)] += second
    return total
