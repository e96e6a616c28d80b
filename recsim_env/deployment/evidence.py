"""Evidence on the contrast between an arm and the control beside it, valid however often it is looked at."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsim_env.deployment.memory import widened
from recsim_env.deployment.moments import COUNT, SQUARE, TOTAL, Moments, means

EFFECTS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Contrasts that are bet on, in standard deviations of a response."""
CAP = 0.5
"""Most that is staked on one response."""
BISECTIONS = 50


class Estimate(NamedTuple):
    """A contrast (arm minus control) with its confidence sequence, in units of the response."""

    value: float
    lower: float
    upper: float


def psi(stake: NDArray[np.float64]) -> NDArray[np.float64]:
    """-log(1 - x) - x for x in [0, 1): what a squared deviation costs at stake x (Fan et al. 2015)."""
    return -np.log1p(-stake) - stake


class Contrast:
    """E-processes on arm minus control, for R runs and A arms, updated by batches.

    In batch t, n_a responses of the arm and n_c of the control have means Y_a and Y_c, and D_t = Y_a - Y_c.
    Responses are clipped to a declared range and scaled to [0, 1]. With stakes known before the batch,

        log E_t = log E_{t-1} + l_t (b - D_t)
                  - psi(l_t / n_a) sum_arm (y - c_t)^2 - psi(l_t / n_c) sum_control (y - c_t)^2

    is at most the log of a supermartingale as long as the arm's mean is never below the control's by more
    than -b (b <= 0 tolerates harm); so P(E_t >= 1/alpha at any t) <= alpha (Ville 1939). c_t: the control's
    mean before batch t. Stakes l_t = d s_t / V_t, V_t = s_t^2 (1/n_a + 1/n_c), which bets on a contrast of
    d standard deviations, s_t that of the control before the batch; l_t / n at most ``CAP``. E is the mean
    over d in ``EFFECTS`` and over start batches j with weight 1 / (j (j + 1)), so that harm which begins
    late is found too; a mixture of e-processes is one. The same with D for -D is evidence of benefit.

    What holds it up: within a batch the responses are independent and their arms were drawn without regard
    to them, so that both groups have the batch's population means. Between batches anything may happen to
    the level: a shock to all arms leaves the null as it was. Users who return must be counted once
    (``Deployment(once_per_user=True)``) where their responses depend on each other.

    Source: the empirical-Bernstein supermartingale of Howard, Ramdas, McAuliffe and Sekhon (2021),
    "Time-uniform, nonparametric, nonasymptotic confidence sequences", Theorem 4, with the predictable
    stakes of Waudby-Smith and Ramdas (2024), "Estimating means of bounded random variables by betting",
    Theorem 2; both rest on Fan, Grama and Liu (2015). Two samples by batch, the mixture over declared
    effects and over start times: ours (exp(l(y - m) - psi(l)(y - c)^2) has mean at most 1 for any c known
    before y, since (1 + l d) exp(-l d) <= 1).

    Args:
        num_runs: R.
        low, high: range of a response; the contrast is that of responses clipped to it.
        tolerated: harm that does not count, in units of the response, at least 0.
        required: what the arm must gain over the control to count as benefit; below 0: non-inferiority.
    """

    def __init__(
        self, num_runs: int, low: float, high: float, tolerated: float = 0.0, required: float = 0.0
    ) -> None:
        self.low, self.width = low, high - low
        self.harm_margin, self.benefit_margin = tolerated / self.width, required / self.width
        kinds = len(EFFECTS)
        self.effects = np.array(EFFECTS)
        self.harm = np.full((num_runs, kinds, 0), -np.inf)
        self.benefit = np.full((num_runs, kinds, 0), -np.inf)
        self.stake, self.gain, self.cost = np.zeros((3, num_runs, kinds, 0))
        self.batches = np.zeros((num_runs, 0))
        self.weighted, self.weight = np.zeros((2, num_runs, 0))
        self.control: Moments = np.zeros((3, num_runs))

    def grow(self) -> None:
        """One more arm."""
        for name in ("harm", "benefit", "stake", "gain", "cost", "batches", "weighted", "weight"):
            setattr(self, name, widened(getattr(self, name)))
        self.harm[..., -1] = self.benefit[..., -1] = -np.inf

    def update(self, batch: Moments) -> None:
        """Take in a batch: [3, R, A] moments of clipped responses, arm 0 the control."""
        scaled = np.stack(
            [
                batch[COUNT],
                (batch[TOTAL] - self.low * batch[COUNT]) / self.width,
                (batch[SQUARE] - 2 * self.low * batch[TOTAL] + self.low**2 * batch[COUNT]) / self.width**2,
            ]
        )
        seen = self.control[COUNT]
        centre = np.where(seen > 0, means(self.control), 0.5)
        variance = np.where(seen > 1, self.control[SQUARE] / np.maximum(seen, 1) - centre**2, 0.25)
        deviation = np.sqrt(np.maximum(variance, 1e-6))
        squares = scaled[SQUARE] - 2 * centre[:, None] * scaled[TOTAL] + centre[:, None] ** 2 * scaled[COUNT]
        count, mean = scaled[COUNT], means(scaled)
        both = (count > 0) & (count[:, :1] > 0)
        arm, control = np.maximum(count, 1), np.maximum(count[:, :1], 1)
        harmonic = np.where(both, arm * control / (arm + control), 0.0)
        most = CAP * np.minimum(arm, control)
        stake = np.minimum(
            self.effects[:, None] / deviation[:, None, None] * harmonic[:, None], most[:, None]
        )
        cost = psi(stake / arm[:, None]) * squares[:, None]
        cost = cost + psi(stake / control[:, None]) * squares[:, None, :1]
        gap = np.where(both, mean - mean[:, :1], 0.0)
        self.batches = self.batches + both
        started = np.log(1.0 / np.maximum(self.batches * (self.batches + 1), 1.0))[:, None]
        for name, sign, margin in (("harm", -1.0, -self.harm_margin), ("benefit", 1.0, -self.benefit_margin)):
            factor = stake * (sign * gap + margin)[:, None] - cost
            old = getattr(self, name)
            setattr(self, name, np.where(both[:, None], np.logaddexp(old, started) + factor, old))
        self.stake = self.stake + stake
        self.gain = self.gain + stake * gap[:, None]
        self.cost = self.cost + np.where(both[:, None], cost, 0.0)
        self.weighted = self.weighted + harmonic * gap
        self.weight = self.weight + harmonic
        self.control = self.control + scaled[:, :, 0]

    def _log_e(self, started: NDArray[np.float64]) -> NDArray[np.float64]:
        mixed = np.logaddexp.reduce(started, axis=1) - math.log(len(self.effects))
        return np.logaddexp(mixed, -np.log(self.batches + 1))

    @property
    def log_e_harm(self) -> NDArray[np.float64]:
        """[R, A] log e-values against "never worse than the control"."""
        return self._log_e(self.harm)

    @property
    def log_e_benefit(self) -> NDArray[np.float64]:
        """[R, A] log e-values against "never better than the control"."""
        return self._log_e(self.benefit)

    def estimate(self, run: int, arm: int, alpha: float) -> Estimate:
        """Mean contrast so far, and the 1 - alpha confidence sequence of its stake-weighted mean.

        The bounds are where the mixture over effects, from the first batch on, reaches 2 / alpha on either
        side: a confidence sequence by Ville's inequality.
        """
        stake, gain, cost = (array[run, :, arm] for array in (self.stake, self.gain, self.cost))
        limit = math.log(2.0 / alpha) + math.log(len(self.effects))

        def beyond(side: float, bound: float) -> bool:
            return bool(np.logaddexp.reduce(side * (gain - bound * stake) - cost) >= limit)

        ends = []
        for side in (1.0, -1.0):
            inside, outside = side, -side
            if not beyond(side, outside):
                ends.append(outside)
                continue
            for _ in range(BISECTIONS):
                middle = (inside + outside) / 2
                inside, outside = (inside, middle) if beyond(side, middle) else (middle, outside)
            ends.append(outside)
        value = float(self.weighted[run, arm] / max(self.weight[run, arm], 1e-300))
        lower, upper = ends
        return Estimate(value * self.width, lower * self.width, upper * self.width)
