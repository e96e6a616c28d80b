"""Which rows belong together: independent units are users or sessions, and an interval counts units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Units:
    """A partition of n rows into G independent units.

    Attributes:
        num_rows: n.
        num_units: G.
        code: [n] int64 in [0, G), the unit of each row; None when every row is a unit of its own.
    """

    num_rows: int
    num_units: int
    code: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, ids: ArrayLike | None, num_rows: int) -> Units:
        """Units from the id of each row, in any order; None: each row is a unit of its own.

        Raises:
            ValueError: not one id a row.
        """
        if ids is None:
            return cls(num_rows, num_rows)
        array = np.asarray(ids)
        if array.shape != (num_rows,):
            raise ValueError(f"unit: expected shape [{num_rows}], got {list(array.shape)}")
        if np.issubdtype(array.dtype, np.integer) and np.all(array[1:] >= array[:-1]):
            code = np.concatenate([[0], np.cumsum(array[1:] != array[:-1])]).astype(np.int64)
        else:
            code = np.unique(array, return_inverse=True)[1].astype(np.int64)
        return cls(num_rows, int(code.max()) + 1, code)

    def total(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[G] float64: the sum over the rows of each unit."""
        if self.code is None:
            return values
        return np.bincount(self.code, weights=values, minlength=self.num_units).astype(np.float64, copy=False)

    def ratio(
        self, top: NDArray[np.float64], bottom: NDArray[np.float64] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Numerator and denominator [G] of a ratio of means over rows; None: the mean of the numerator."""
        return self.total(top), self.size() if bottom is None else self.total(bottom)

    def size(self) -> NDArray[np.float64] | None:
        """[G] float64: rows of each unit; None when it is 1 for all."""
        if self.code is None:
            return None
        return np.bincount(self.code, minlength=self.num_units).astype(np.float64)
