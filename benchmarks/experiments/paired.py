"""Differences between agents that met the same users, declared by one rule and corrected for their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.aggregates import holm, paired_p_value
from benchmarks.experiments.frame import written
from benchmarks.rows import resampling, row
from benchmarks.statistics import Interval, paired_difference
from benchmarks.style import display_name

LEVEL = 0.05


class Difference(NamedTuple):
    """One paired difference.

    Attributes:
        interval: of values - reference, over seeds.
        p: two-sided, corrected for how many differences were looked at (Holm).
        shown: whether the interval leaves out 0 and p <= 5%.
    """

    interval: Interval
    p: float
    shown: bool

    @property
    def verdict(self) -> str:
        """What the difference says of the first agent, between two names."""
        if not self.shown:
            return "is not shown to differ from"
        return "earns more than" if self.interval.mean > 0 else "earns less than"

    @property
    def text(self) -> str:
        """The difference with its interval and p-value."""
        return f"{written(self.interval)} reward per user (Holm p = {self.p:.3f})"

    def row(self, experiment: str, scenario: str, agent: str, metric: str) -> dict[str, Any]:
        """The difference as a reported figure, see `rows.row`, with `p_corrected`."""
        return row(experiment, scenario, agent, metric, self.interval) | {"p_corrected": self.p}


def differences(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[Difference]:
    """Every pair's difference; the p-values are corrected for the number of pairs.

    Args:
        pairs: (values, reference), [R] float each, the same seeds in the same order; R >= 2.
    """
    corrected = holm([paired_p_value(*pair, resampling()) for pair in pairs])
    found = []
    for pair, p in zip(pairs, corrected, strict=True):
        interval = paired_difference(*pair, resampling())
        shown = bool(p <= LEVEL and (interval.lower > 0 or interval.upper < 0))
        found.append(Difference(interval, float(p), shown))
    return found


class Twin(NamedTuple):
    """An agent and its control, which lacks the one thing that is asked about.

    Attributes:
        agent, control: specifications.
        asks: the question, such as "foresight".
    """

    agent: str
    control: str
    asks: str

    @property
    def text(self) -> str:
        """The pair for readers."""
        return f"{display_name(self.agent)} - {display_name(self.control)}"


def of_twins(twins: Sequence[Twin], reward: Mapping[str, np.ndarray]) -> dict[Twin, Difference]:
    """The differences of the twins that took part; none for a single seed.

    Args:
        twins: which to look at.
        reward: agent -> [R] float, the same seeds in the same order.
    """
    present = [twin for twin in twins if twin.agent in reward and twin.control in reward]
    if not present or len(reward[present[0].agent]) < 2:
        return {}
    found = differences([(reward[twin.agent], reward[twin.control]) for twin in present])
    return dict(zip(present, found, strict=True))
