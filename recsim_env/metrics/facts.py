"""Stylised facts: what one would measure on a real log, each defined once for real and simulated ones.

Every class here and in `click_facts` is a tally: fed in pieces, in the order of time, and asked for its facts
at the end.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

DEPTHS = (1, 2, 5, 10)
"""Session depths at which the probability of continuing is stated."""

Z_95 = 1.959963984540054


class Fact(NamedTuple):
    """One measured figure.

    Attributes:
        value: the figure.
        num_observations: what it rests on: the denominator of a share, the clicks of a curve.
        lower, upper: 95% interval, where observations are independent enough to state one; else None.
    """

    value: float
    num_observations: int
    lower: float | None = None
    upper: float | None = None


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95% score interval of a probability from independent trials.

    (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n),  p = successes / n

    Args:
        successes: int in [0, trials].
        trials: n >= 1.

    Source: Wilson (1927); Brown, Cai and DasGupta (2001), eq. 4.
    """
    share, z2 = successes / trials, Z_95**2
    centre = share + z2 / (2 * trials)
    half = Z_95 * np.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    scale = 1 + z2 / trials
    return float(max(0.0, (centre - half) / scale)), float(min(1.0, (centre + half) / scale))


class Funnel:
    """From an impression to a purchase, in counts; 0 impressions where a log does not tell what was shown.

    Attributes:
        impressions: items shown.
        steps: decisions; steps_with_click: those with at least one click.
        clicks: of items; likes, carts, purchases: what followed.
    """

    def __init__(self) -> None:
        self.impressions = self.steps = self.steps_with_click = 0
        self.clicks = self.likes = self.carts = self.purchases = 0

    def facts(self) -> dict[str, Fact]:
        """`click_per_impression`, `click_per_step`, `like_per_click`, `cart_per_click`, `purchase_per_click`.

        Per step is the share of steps with at least one. Ratios of counts, pooled over users; no interval,
        since the events of one user depend on one another. A ratio without a denominator is left out, and so
        are carts where nothing was put into one.

        Source: Ours, the ratios that shops report of their funnel.
        """
        ratios = {
            "click_per_impression": (self.clicks, self.impressions),
            "click_per_step": (self.steps_with_click, self.steps),
            "like_per_click": (self.likes, self.clicks),
            "cart_per_click": (self.carts, self.clicks if self.carts else 0),
            "purchase_per_click": (self.purchases, self.clicks),
        }
        return {name: Fact(events / of, of) for name, (events, of) in ratios.items() if of}


class SessionLengths:
    """How long sessions are, in memory that depends on the longest only.

    Attributes:
        ended: [L] int64, sessions that ended by themselves after so many steps.
        cut: [L] int64, sessions that a horizon cut there, so that nobody knows whether they would go on.
    """

    def __init__(self) -> None:
        self.ended = np.zeros(1, np.int64)
        self.cut = np.zeros(1, np.int64)

    def add(self, lengths: ArrayLike, cut: ArrayLike | None = None) -> None:
        """Add sessions: their lengths in steps, from 1, and whether a horizon cut them (not by default)."""
        steps = np.asarray(lengths, np.int64)
        if not len(steps):
            return
        if steps.min() < 1:
            raise ValueError(f"lengths: expected at least 1 step, got {steps.min()}")
        missing = int(steps.max()) + 1 - len(self.ended)
        if missing > 0:
            self.ended, self.cut = np.pad(self.ended, (0, missing)), np.pad(self.cut, (0, missing))
        was_cut = np.zeros(len(steps), np.bool_) if cut is None else np.asarray(cut, np.bool_)
        np.add.at(self.ended, steps[~was_cut], 1)
        np.add.at(self.cut, steps[was_cut], 1)

    def continue_prob(self, depth: int) -> Fact | None:
        """P(a session goes on after step `depth` | it has come so far), with its Wilson interval.

        #{length > depth} / (#{length > depth} + #{ended at depth}); sessions cut at this depth do not count.
        None where no session has come so far.

        Source: one factor of the product-limit estimate, Kaplan and Meier (1958).
        """
        beyond = int((self.ended + self.cut)[depth + 1 :].sum())
        stopped = int(self.ended[depth]) if depth < len(self.ended) else 0
        if not beyond + stopped:
            return None
        return Fact(beyond / (beyond + stopped), beyond + stopped, *wilson_interval(beyond, beyond + stopped))

    def quantile(self, level: float) -> int:
        """The smallest length that at least a share `level` of sessions does not exceed, cut ones as found.

        Source: the inverse of the empirical distribution function, Hyndman and Fan (1996), definition 1.
        """
        reached = np.cumsum(self.ended + self.cut)
        return int(np.searchsorted(reached, level * reached[-1] * (1 - 1e-12)))

    def facts(self) -> dict[str, Fact]:
        """`session_length_p25`, `_p50`, `_p75`, `_p99`, `_mean`, P(length = 1), and `continue_<depth>`."""
        total = self.ended + self.cut
        count = int(total.sum())
        if not count:
            return {}
        facts = {f"session_length_p{q}": Fact(self.quantile(q / 100), count) for q in (25, 50, 75, 99)}
        facts["session_length_mean"] = Fact(float(total @ np.arange(len(total))) / count, count)
        ones = int(total[1]) if len(total) > 1 else 0
        facts["session_length_is_1"] = Fact(ones / count, count, *wilson_interval(ones, count))
        for depth in DEPTHS:
            going_on = self.continue_prob(depth)
            if going_on is not None:
                facts[f"continue_{depth}"] = going_on
        return facts


class ReturnGaps:
    """Hours from the end of a session to the same user's next one."""

    def __init__(self) -> None:
        self.parts: list[NDArray[np.float64]] = []

    def add(self, hours: ArrayLike) -> None:
        """Add gaps [n], in hours, above 0."""
        self.parts.append(np.asarray(hours, np.float64))

    def facts(self) -> dict[str, Fact]:
        """`return_gap_p25`, `_p50`, `_p75` in hours; users who never return have no gap.

        Source: Ours, the quartiles of the gaps that a log holds (those longer than the log are missing).
        """
        hours = np.concatenate([np.zeros(0), *self.parts])
        if not len(hours):
            return {}
        return {f"return_gap_p{q}": Fact(float(np.percentile(hours, q)), len(hours)) for q in (25, 50, 75)}
