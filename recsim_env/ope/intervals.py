"""From the terms of an estimate to its standard error and its 95% interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from recsim_env.ope.checks import number

Z_95 = 1.959963984540054
CONFIDENCE = 0.95
ENOUGH_UNITS = 30


class Bounds(NamedTuple):
    """A 95% interval."""

    lower: float
    upper: float


Ratio = tuple[NDArray[np.float64], NDArray[np.float64] | None]
"""A numerator and a denominator, each [G], one value a unit; a denominator of None is 1 for every unit."""


@dataclass(frozen=True, eq=False)
class Terms:
    """An estimate as a sum of ratios of means over G independent units.

    value = sum_j mean(numerator_j) / mean(denominator_j)

    Every estimator here has this form: plain means have the denominator 1, self-normalised ones the sum of
    the weights. A ratio whose denominator is 0 for every unit is undefined, and so is the value: NaN.

    Attributes:
        ratios: at least one.
        linearised: whether the terms are those of a first-order approximation, not of the estimate itself.
    """

    ratios: tuple[Ratio, ...]
    linearised: bool = False

    @property
    def num_units(self) -> int:
        """G."""
        return len(self.ratios[0][0])

    @property
    def is_mean(self) -> bool:
        """Whether the value is a plain mean over units."""
        return len(self.ratios) == 1 and self.ratios[0][1] is None and not self.linearised

    @cached_property
    def value(self) -> float:
        """The estimate."""
        return float(sum(_quotient(top, bottom) for top, bottom in self.ratios))

    def influence(self) -> NDArray[np.float64]:
        """[G] float64: by how much each unit moves the estimate, G times; their mean is 0.

        sum_j (numerator_j - value_j * denominator_j) / mean(denominator_j)

        Source: the delta method for a function of means, van der Vaart (1998), sec. 3.1 and 20.1.
        """
        total = np.zeros(self.num_units)
        for top, bottom in self.ratios:
            quotient = _quotient(top, bottom)
            if bottom is None:
                total += top
                total -= quotient
            elif math.isnan(quotient):
                total += math.nan
            else:
                total += (top - quotient * bottom) / bottom.mean()
        return total

    @cached_property
    def standard_error(self) -> float:
        """sqrt(sum influence^2 / (G (G - 1))); NaN with fewer than two units."""
        G = self.num_units
        if G < 2:
            return math.nan
        influence = self.influence()
        return math.sqrt(float(influence @ influence) / (G * (G - 1.0)))


def _quotient(top: NDArray[np.float64], bottom: NDArray[np.float64] | None) -> float:
    if bottom is None:
        return float(top.mean())
    below = float(bottom.sum())
    return float(top.sum()) / below if below != 0 else math.nan


class Interval(Protocol):
    """How to make a 95% interval of terms."""

    @property
    def name(self) -> str:
        """How the interval was made, in a few words, for the result."""
        ...

    @property
    def least_units(self) -> int:
        """Below how many units an estimate warns that the interval may not hold."""
        ...

    def bounds(self, terms: Terms) -> Bounds:
        """The interval; NaN where it is undefined."""
        ...


@dataclass(frozen=True)
class NormalInterval:
    """value +- 1.96 standard errors, over units.

    Good when there are many units and no few weights dominate; otherwise too narrow.

    Source: the central limit theorem with the delta method, van der Vaart (1998), sec. 3.1.
    """

    @property
    def name(self) -> str:
        """See `Interval`."""
        return "normal over units"

    @property
    def least_units(self) -> int:
        """30, the rule of thumb for a mean to be normal."""
        return ENOUGH_UNITS

    def bounds(self, terms: Terms) -> Bounds:
        """See `Interval`."""
        half = Z_95 * terms.standard_error
        return Bounds(terms.value - half, terms.value + half)


NORMAL = NormalInterval()


@dataclass(frozen=True, eq=False)
class BootstrapInterval:
    """The 2.5% and 97.5% quantiles of the estimate on units drawn with replacement.

    Asymmetric where the estimate is. Resamples in which a self-normalised estimate is undefined, since no
    unit with weight was drawn, are left out.

    Attributes:
        generator: where the draws come from: G per resample.
        num_resamples: int >= 40.

    Source: Efron (1979); the percentile interval of Efron and Tibshirani (1993), ch. 13.
    """

    generator: np.random.Generator
    num_resamples: int = 1_000

    def __post_init__(self) -> None:
        number("num_resamples", self.num_resamples, 40)

    @property
    def name(self) -> str:
        """See `Interval`."""
        return f"bootstrap over units, {self.num_resamples} resamples"

    @property
    def least_units(self) -> int:
        """30, as for `NormalInterval`: a bootstrap of few units is too narrow."""
        return ENOUGH_UNITS

    def bounds(self, terms: Terms) -> Bounds:
        """See `Interval`."""
        G = terms.num_units
        values = np.empty(self.num_resamples)
        for resample in range(self.num_resamples):
            count = np.bincount(self.generator.integers(G, size=G), minlength=G).astype(np.float64)
            value = 0.0
            for top, bottom in terms.ratios:
                below = G if bottom is None else float(count @ bottom)
                value += float(count @ top) / below if below != 0 else math.nan
            values[resample] = value
        defined = values[~np.isnan(values)]
        if len(defined) == 0:
            return Bounds(math.nan, math.nan)
        lower, upper = np.quantile(defined, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return Bounds(float(lower), float(upper))


@dataclass(frozen=True)
class BernsteinInterval:
    """An interval that holds for every number of units, not only for many; wide.

    value +- (sqrt(2 V L / G) + 7 span L / (3 (G - 1))),  L = ln(4 / 0.05), V the sample variance

    Only for plain means over units, not for self-normalised estimates.

    Attributes:
        span: the width of a range that holds every unit's term for certain, known before the data: for IPS
            with rewards in [0, r] and weights of at most w it is r w. A term outside makes the interval void.

    Source: Maurer and Pontil (2009), Theorem 4, on both sides with half the error each.
    """

    span: float

    def __post_init__(self) -> None:
        number("span", self.span, 0, np.finfo(np.float64).max, open_low=True)

    @property
    def name(self) -> str:
        """See `Interval`."""
        return f"empirical Bernstein over units, span {self.span:g}"

    @property
    def least_units(self) -> int:
        """2: it holds for any number that has a variance."""
        return 2

    def bounds(self, terms: Terms) -> Bounds:
        """See `Interval`.

        Raises:
            ValueError: the estimate is no plain mean, or its terms are further apart than the span.
        """
        if not terms.is_mean:
            raise ValueError(
                "interval: BernsteinInterval holds for plain means over units only, "
                "and this estimate is none; use NormalInterval or BootstrapInterval"
            )
        values = terms.ratios[0][0]
        found = float(np.ptp(values))
        if found > self.span:
            raise ValueError(f"span: expected at least the range of the terms, {found:g}, got {self.span:g}")
        G = terms.num_units
        if G < 2:
            return Bounds(math.nan, math.nan)
        log = math.log(4 / (1 - CONFIDENCE))
        half = math.sqrt(2 * float(values.var(ddof=1)) * log / G) + 7 * self.span * log / (3 * (G - 1))
        return Bounds(terms.value - half, terms.value + half)
