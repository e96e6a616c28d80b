"""Strategies made of strategies: restarted when the arms change, or one for each segment; and their names."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from recsim_env.checked import nearest
from recsim_env.deployment.detectors import Detector, LikelihoodRatio, PageHinkleyOfArms
from recsim_env.deployment.memory import Discounted, Memory, Sliding
from recsim_env.deployment.moments import Moments
from recsim_env.deployment.strategies import (
    UCB,
    ABTest,
    EpsilonGreedy,
    Learning,
    Newest,
    Shares,
    Strategy,
    Thompson,
    Validation,
)


class Restarting(Strategy):
    """A learning strategy that forgets what was before a change, when a detector finds one."""

    def __init__(self, inner: Learning, detector: Detector) -> None:
        self.inner, self.detector = inner, detector

    def start(self, num_runs: int) -> None:
        super().start(num_runs)
        self.inner.start(num_runs)
        self.detector.start(num_runs)

    def admit(self, estimate: float | None) -> None:
        super().admit(estimate)
        self.inner.admit(estimate)
        self.detector.grow()

    def shares(self, live: NDArray[np.bool_], generator: np.random.Generator) -> Shares:
        return self.inner.shares(live, generator)

    def update(self, batch: Moments) -> None:
        self.inner.update(batch)
        self.changed, since = self.detector.update(batch)
        if self.changed.any():
            self.inner.memory.restart(self.changed, since)


class PerSegment(Strategy):
    """A strategy of its own for each segment: (run, segment) pairs are runs to it.

    Reads and writes segments beside each other: R stands for runs times segments in all methods.
    """

    def __init__(self, inner: Strategy) -> None:
        self.inner = inner

    def start(self, num_runs: int) -> None:
        super().start(num_runs)
        self.inner.start(num_runs)

    def admit(self, estimate: float | None) -> None:
        super().admit(estimate)
        self.inner.admit(estimate)

    def shares(self, live: NDArray[np.bool_], generator: np.random.Generator) -> Shares:
        return self.inner.shares(live, generator)

    def update(self, batch: Moments) -> None:
        self.inner.update(batch)
        self.changed = self.inner.changed


HALF_LIFE, WINDOW = 30.0, 60
"""Of the discounted and sliding strategies by name, in batches."""
FORGETTING_WIDTH, DETECTED_EPSILON = 0.5, 0.01
"""Of upper bounds in strategies that forget or restart, which full bounds would keep exploring for good, and
of epsilon-greedy behind a detector, beside the controller's own floor. These and the above were set on
worlds of seeds from 1000 on."""


def discounted(num_runs: int) -> Memory:
    """The memory of the discounted strategies by name."""
    return Discounted(num_runs, HALF_LIFE)


def sliding(num_runs: int) -> Memory:
    """The memory of the sliding-window strategies by name."""
    return Sliding(num_runs, WINDOW)


PAPER: dict[str, Callable[[], Strategy]] = {
    "naive": Newest,
    "validation": Validation,
    "ab_test": ABTest,
    "epsilon_greedy": EpsilonGreedy,
    "ucb": UCB,
    "thompson": Thompson,
}
"""The six of arXiv 2503.22595."""

STRATEGIES: dict[str, Callable[[], Strategy]] = PAPER | {
    "discounted_ucb": lambda: UCB(FORGETTING_WIDTH, discounted),
    "sliding_ucb": lambda: UCB(FORGETTING_WIDTH, sliding),
    "discounted_thompson": lambda: Thompson(memory=discounted),
    "sliding_thompson": lambda: Thompson(memory=sliding),
    "detected_epsilon_greedy": lambda: Restarting(EpsilonGreedy(DETECTED_EPSILON), LikelihoodRatio()),
    "detected_ucb": lambda: Restarting(UCB(FORGETTING_WIDTH), LikelihoodRatio()),
    "detected_thompson": lambda: Restarting(Thompson(), LikelihoodRatio()),
    "page_hinkley_thompson": lambda: Restarting(Thompson(), PageHinkleyOfArms()),
    "segment_thompson": lambda: PerSegment(Thompson()),
    "segment_detected_thompson": lambda: PerSegment(Restarting(Thompson(), LikelihoodRatio())),
    "segment_detected_ucb": lambda: PerSegment(Restarting(UCB(FORGETTING_WIDTH), LikelihoodRatio())),
}
"""Name -> maker. ``detected``: behind a likelihood-ratio detector; ``segment``: one for each segment."""


def make_strategy(name: str) -> Strategy:
    """The strategy of a name in ``STRATEGIES``.

    Raises:
        ValueError: there is none; the message lists the nearest.
    """
    if name not in STRATEGIES:
        raise ValueError(f"strategy: unknown name {name!r}; {nearest(name, STRATEGIES)}")
    return STRATEGIES[name]()
