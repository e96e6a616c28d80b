"""Change detectors: has the mean of a stream moved? Many streams at once."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from recsim_env.deployment.memory import widened
from recsim_env.deployment.moments import COUNT, TOTAL, Moments, means, pooled_variance


class PageHinkley:
    """The Page-Hinkley test for streams of numbers, two-sided, one for each cell of an array.

    U_t = f U_{t-1} + (x_t - mean_t) - delta,  alarm if U_t - min_s U_s > threshold  (the mean rose)
    D_t = f D_{t-1} + (x_t - mean_t) + delta,  alarm if max_s D_s - D_t > threshold  (it fell)

    mean_t is that of the stream up to and including x_t. After an alarm the stream begins anew.

    Args:
        shape: of the array of streams.
        delta: drift that is tolerated, in units of x.
        threshold: in units of x.
        forgetting: f in (0, 1].
        warm_up: how many numbers a stream sees before it can alarm.

    Source: Page (1954), "Continuous inspection schemes"; Hinkley (1971); in the form of river 0.26 and
    Gama et al. (2014), "A survey on concept drift adaptation".
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        delta: float = 0.005,
        threshold: float = 50.0,
        forgetting: float = 0.9999,
        warm_up: int = 30,
    ) -> None:
        self.delta, self.threshold, self.forgetting, self.warm_up = delta, threshold, forgetting, warm_up
        self.count, self.mean = np.zeros(shape), np.zeros(shape)
        self.up, self.down = np.zeros(shape), np.zeros(shape)
        self.lowest, self.highest = np.full(shape, np.inf), np.full(shape, -np.inf)

    def update(self, x: NDArray[np.float64], seen: NDArray[np.bool_] | bool = True) -> NDArray[np.bool_]:
        """Take in one number for each stream that is ``seen``; returns where there is an alarm.

        Args:
            x: of the shape given at construction; not read where not seen.
            seen: bool of the same shape, or True for all.
        """
        seen = np.broadcast_to(seen, self.count.shape)
        self.count = self.count + seen
        deviation = np.where(seen, x - self.mean, 0.0)
        self.mean = self.mean + deviation / np.maximum(self.count, 1)
        deviation = np.where(seen, x - self.mean, 0.0)
        factor = np.where(seen, self.forgetting, 1.0)
        self.up = factor * self.up + np.where(seen, deviation - self.delta, 0.0)
        self.down = factor * self.down + np.where(seen, deviation + self.delta, 0.0)
        self.lowest = np.where(seen, np.minimum(self.lowest, self.up), self.lowest)
        self.highest = np.where(seen, np.maximum(self.highest, self.down), self.highest)
        moved = (self.up - self.lowest > self.threshold) | (self.highest - self.down > self.threshold)
        alarm: NDArray[np.bool_] = seen & moved & (self.count >= self.warm_up)
        for array, value in (
            (self.count, 0.0),
            (self.mean, 0.0),
            (self.up, 0.0),
            (self.down, 0.0),
            (self.lowest, np.inf),
            (self.highest, -np.inf),
        ):
            array[alarm] = value
        return alarm


class Detector(ABC):
    """Watches the arms of R runs from the moments of each batch."""

    @abstractmethod
    def start(self, num_runs: int) -> None:
        """Begin with no arms."""

    @abstractmethod
    def grow(self) -> None:
        """One more arm."""

    @abstractmethod
    def update(self, batch: Moments) -> tuple[NDArray[np.bool_], Moments]:
        """Take in [3, R, A] moments; returns ([R] changed, [3, R, A] what came since, for the changed)."""


class PageHinkleyOfArms(Detector):
    """Page-Hinkley on each arm's batch means, in standard errors from the arm's mean before the batch.

    Args:
        delta, threshold: as of `PageHinkley`, in standard errors of a batch mean.
    """

    def __init__(self, delta: float = 0.25, threshold: float = 12.0) -> None:
        self.delta, self.threshold = delta, threshold

    def start(self, num_runs: int) -> None:
        self.test = PageHinkley((num_runs, 0), self.delta, self.threshold, 1.0, 2)
        self.sums: Moments = np.zeros((3, num_runs, 0))

    def grow(self) -> None:
        for name in ("count", "mean", "up", "down", "lowest", "highest"):
            setattr(self.test, name, widened(getattr(self.test, name)))
        self.test.lowest[:, -1], self.test.highest[:, -1] = np.inf, -np.inf
        self.sums = widened(self.sums)

    def update(self, batch: Moments) -> tuple[NDArray[np.bool_], Moments]:
        known = (self.sums[COUNT] > 0) & (batch[COUNT] > 0)
        variance = np.maximum(pooled_variance(self.sums), 1e-300)[:, None]
        score = (means(batch) - means(self.sums)) / np.sqrt(variance / np.maximum(batch[COUNT], 1))
        fired: NDArray[np.bool_] = np.any(self.test.update(score, known & (variance > 1e-299)), axis=1)
        self.sums = np.where(fired[:, None], batch, self.sums + batch)
        for name, value in (("count", 0.0), ("mean", 0.0), ("up", 0.0), ("down", 0.0)):
            getattr(self.test, name)[fired] = value
        self.test.lowest[fired], self.test.highest[fired] = np.inf, -np.inf
        return fired, batch


class LikelihoodRatio(Detector):
    """Generalised likelihood ratio test of each arm: is there a batch from which on its mean is another?

    max_s n1 n2 / (n1 + n2) (m1 - m2)^2 / (2 s^2) > log(3 h^{3/2} / level)

    n1, m1 count and mean of the arm's responses before batch s, n2, m2 from s on, s^2 the variance pooled
    over arms, h how many batches are remembered. A change in one arm restarts all arms of the run, from the
    most likely batch of that change on.

    Args:
        level: the smaller, the rarer are false alarms.
        history: at most so many batches are searched.

    Source: Besson, Kaufmann, Maillard and Seznec (2022), "Efficient change-point detection for tackling
    piecewise-stationary bandits", GLR-klUCB with global restarts, here Gaussian with a plug-in variance, on
    batches; the shape of the threshold is what they use in practice.
    """

    def __init__(self, level: float = 1e-3, history: int = 256) -> None:
        self.level, self.length = level, history

    def start(self, num_runs: int) -> None:
        self.history = np.zeros((0, 3, num_runs, 0))

    def grow(self) -> None:
        self.history = widened(self.history)

    def update(self, batch: Moments) -> tuple[NDArray[np.bool_], Moments]:
        self.history = np.concatenate([self.history[-self.length + 1 :], batch[None]])
        before = np.cumsum(self.history, axis=0)
        whole = before[-1]
        after = whole - before
        n1, n2 = before[:-1, COUNT], after[:-1, COUNT]
        gap = before[:-1, TOTAL] / np.maximum(n1, 1) - after[:-1, TOTAL] / np.maximum(n2, 1)
        variance = np.maximum(pooled_variance(whole), 1e-300)
        ratio = n1 * n2 / np.maximum(n1 + n2, 1) * gap**2 / (2 * variance[:, None])
        remembered = np.maximum((self.history[:, COUNT].sum(axis=2) > 0).sum(axis=0), 1)
        bound = np.array([math.log(3 * h**1.5 / self.level) for h in remembered.tolist()])
        if len(ratio) == 0:
            return np.zeros(len(bound), np.bool_), batch
        best = ratio.max(axis=2)  # [h - 1, R]
        fired = best.max(axis=0) > bound
        since = best.argmax(axis=0)
        kept = np.take_along_axis(after, since[None, None, :, None], axis=0)[0]
        old = (np.arange(len(self.history))[:, None] <= since) & fired
        self.history = np.where(old[:, None, :, None], 0.0, self.history)
        return fired, kept
