"""Checks of arrays that come in: an error names the argument, what was expected, and what came first."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

ROUNDING = 1e-5
"""By how much a probability may exceed 1, or a row of them miss 1: what a float32 softmax loses."""


def offending(name: str, wrong: NDArray[np.bool_], values: NDArray[Any], expected: str) -> None:
    """Raise a ValueError that names the first entry of `values` where `wrong` is True, if there is one."""
    if not wrong.any():
        return
    index = np.unravel_index(int(np.argmax(wrong)), wrong.shape)
    at = ", ".join(str(int(part)) for part in index)
    raise ValueError(f"{name}[{at}]: expected {expected}, got {values[index]}")


def numbers(name: str, values: ArrayLike, *shape: int | None) -> NDArray[np.float64]:
    """Finite float64 numbers of this shape; None stands for any length.

    Raises:
        ValueError: another shape, or a value that is not finite.
    """
    array = np.asarray(values)
    _check_shape(name, array, shape)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name}: expected numbers, got dtype {array.dtype}")
    array = array.astype(np.float64, copy=False)
    # One pass without a temporary: a finite sum means that every value is finite.
    with np.errstate(all="ignore"):
        total = array.sum()
    if not np.isfinite(total):
        offending(name, ~np.isfinite(array), array, "a finite number")
    return array


def probabilities(
    name: str, values: ArrayLike, *shape: int | None, positive: bool = False
) -> NDArray[np.float64]:
    """Probabilities in [0, 1], or in (0, 1] if `positive`, as `numbers`."""
    array = numbers(name, values, *shape)
    if array.size:
        low, high = array.min(), array.max()
        if low < 0 or high > 1 + ROUNDING or (positive and low == 0):
            wrong = (array < 0) | (array > 1 + ROUNDING) | ((array == 0) & positive)
            offending(name, wrong, array, f"a probability in {'(' if positive else '['}0, 1]")
    return array


def distributions(name: str, values: ArrayLike, *shape: int | None) -> NDArray[np.float64]:
    """Probabilities that sum to 1 over the last axis, as `probabilities`."""
    array = probabilities(name, values, *shape)
    sums = array.sum(axis=-1)
    offending(name, np.abs(sums - 1) > ROUNDING, sums, "probabilities that sum to 1")
    return array


def indices(name: str, values: ArrayLike, limit: int, *shape: int | None) -> NDArray[np.int64]:
    """Integers in [0, limit) of this shape.

    Raises:
        ValueError: another shape, not integers, or one out of range.
    """
    array = np.asarray(values)
    _check_shape(name, array, shape)
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name}: expected integers, got dtype {array.dtype}")
    offending(name, (array < 0) | (array >= limit), array, f"an index in [0, {limit})")
    return array.astype(np.int64, copy=False)


def number(name: str, value: float, low: float, high: float = np.inf, *, open_low: bool = False) -> float:
    """One number in [low, high], or in (low, high] if `open_low`; infinity only where `high` is infinite."""
    given = float(value)
    if not low <= given <= high or (open_low and given == low):
        bracket = "(" if open_low else "["
        raise ValueError(f"{name}: expected a number in {bracket}{low:g}, {high:g}], got {value!r}")
    return given


def _check_shape(name: str, array: NDArray[Any], shape: tuple[int | None, ...]) -> None:
    fits = array.ndim == len(shape) and all(
        want is None or want == got for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits:
        expected = ", ".join("any" if want is None else str(want) for want in shape)
        raise ValueError(f"{name}: expected shape [{expected}], got {list(array.shape)}")
