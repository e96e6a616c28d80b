"""What a strategy remembers of the batches so far: everything, more of the recent, or the last few."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from recsim_env.deployment.moments import Moments


class Memory:
    """Sums of all batches: right for arms that do not change.

    Attributes:
        sums: [3, R, A] moments of what is remembered.
    """

    def __init__(self, num_runs: int) -> None:
        self.sums: Moments = np.zeros((3, num_runs, 0))

    def grow(self) -> None:
        """Make room for one more arm, of which nothing is known."""
        self.sums = widened(self.sums)

    def add(self, batch: Moments) -> None:
        """Take in the [3, R, A] moments of one batch."""
        self.sums = self.sums + batch

    def restart(self, runs: NDArray[np.bool_], sums: Moments) -> None:
        """Forget what these runs ([R] bool) remember, but for ``sums`` ([3, R, A])."""
        self.sums = np.where(runs[:, None], sums, self.sums)


class Discounted(Memory):
    """Every batch makes the ones before it count less: sums <- factor * sums + batch.

    Args:
        half_life: in batches; factor = 2^(-1 / half_life).

    Source: Garivier and Moulines (2011), "On upper-confidence bound policies for switching bandit problems",
    discounted UCB; there the discount is per request, here per batch.
    """

    def __init__(self, num_runs: int, half_life: float) -> None:
        super().__init__(num_runs)
        self.factor = 2.0 ** (-1.0 / half_life)

    def add(self, batch: Moments) -> None:
        self.sums = self.factor * self.sums + batch


class Sliding(Memory):
    """The last ``window`` batches and nothing else.

    Source: Garivier and Moulines (2011), sliding-window UCB; there the window counts requests.
    """

    def __init__(self, num_runs: int, window: int) -> None:
        super().__init__(num_runs)
        self.batches: deque[Moments] = deque(maxlen=window)

    def grow(self) -> None:
        super().grow()
        self.batches = deque((widened(batch) for batch in self.batches), self.batches.maxlen)

    def add(self, batch: Moments) -> None:
        self.batches.append(batch)
        self.sums = np.sum(self.batches, axis=0)

    def restart(self, runs: NDArray[np.bool_], sums: Moments) -> None:
        """Empty the window of these runs, but for ``sums``, which leave it as its newest batch does."""
        kept = [np.where(runs[:, None], 0.0, batch) for batch in self.batches]
        kept[-1] = np.where(runs[:, None], sums, kept[-1])
        self.batches = deque(kept, self.batches.maxlen)
        super().restart(runs, sums)


MemoryMaker = Callable[[int], Memory]
"""num_runs -> an empty memory."""


def widened(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """The array with a column of zeros behind its last."""
    return np.concatenate([array, np.zeros((*array.shape[:-1], 1), array.dtype)], axis=-1)
