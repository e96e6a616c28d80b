"""Error rates and power of rollback and promotion, on thousands of runs: tasks of `deploy --study`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.deploy_worlds import run_many
from benchmarks.tasks import Report
from recsim_env.deployment import COUNT, RAMP, TOTAL, Controller, Newest, Settings, Step

BATCH_SIZE = 1_000
CONTROL_RATE = 0.10
"""Mean reward of the control."""
CONTROL_SHARE = 0.1
FULL_TEN_PERCENT = (Step(0.1, 1_000_000),)
"""A release that stays at 10% of the traffic until it is rolled back."""
SHOCK = (0.4, 0.55, 0.7)
"""A shock to all arms: from and to which share of the time, and the factor on every reward."""
HARMS = {"large": 0.5, "medium": 0.8, "small": 0.95}
CURVE = (0.5, 0.7, 0.8, 0.9, 0.95)
"""Reward of a bad release as a share of the control's."""
GOOD = 1.1
FAILED_BELOW, CHECKS = 0.95, 5
"""The rule without a guarantee: a check of one batch fails if the release earns less than this share of the
control; so many failed checks roll back, as with Flagger's `threshold` and Argo's `failureLimit`."""
PEEKING = {"peeking z-test at 1%": 2.3263, "peeking z-test at 5%": 1.6449}
"""Name -> one-sided bound; tested after every batch, which such a bound is not made for."""


class Peeking:
    """What other rules would have done on the same data; none of them bounds its error over many looks."""

    def __init__(self, num_runs: int) -> None:
        self.sums = np.zeros((3, num_runs, 2))
        self.failures = np.zeros(num_runs, np.int64)
        self.rolled_back = {name: np.zeros(num_runs, np.bool_) for name in (*PEEKING, "failure limit of 5")}

    def watch(self, moments: NDArray[np.float64]) -> None:
        """Test after this batch."""
        batch = moments.sum(axis=2)
        self.sums += batch
        both = (batch[COUNT] > 0).all(axis=1)
        rate = self.sums[TOTAL] / np.maximum(self.sums[COUNT], 1)
        error = np.sqrt((rate * (1 - rate) / np.maximum(self.sums[COUNT], 1)).sum(axis=1))
        z = (rate[:, 0] - rate[:, 1]) / np.maximum(error, 1e-12)
        for name, bound in PEEKING.items():
            self.rolled_back[name] |= both & (z > bound)
        now = batch[TOTAL] / np.maximum(batch[COUNT], 1)
        self.failures += both & (now[:, 1] < FAILED_BELOW * now[:, 0])
        self.rolled_back["failure limit of 5"] |= self.failures >= CHECKS


class Case(NamedTuple):
    """A release of known quality.

    Attributes:
        factor: its reward as a share of the control's.
        ramp: its steps; shock: whether a shock hits all arms.
    """

    factor: float
    ramp: tuple[Step, ...] = RAMP
    shock: bool = False


CASES: dict[str, Case] = {
    "A/A": Case(1.0),
    "common shock": Case(1.0, shock=True),
    "good release": Case(GOOD),
    "bad release": Case(HARMS["small"]),
}
CASES |= {f"harm to {factor:g}": Case(factor, FULL_TEN_PERCENT) for factor in CURVE}


def releases(case: str, part: int, runs: int, batches: int, seed: int, report: Report) -> dict[str, Any]:
    """Release one arm beside a control in many runs.

    Returns:
        columns with one entry a run: rollback, promote, alarm (requests until the first of them, None
        without), exposure (requests that the release served), and `others`: rule -> whether it rolled back.
    """
    chosen = CASES[case]
    generator = np.random.default_rng([seed, list(CASES).index(case), part])
    controller = Controller(Newest(), generator, Settings(control_share=CONTROL_SHARE), num_runs=runs)
    controller.admit("control")
    controller.admit("release", ramp=chosen.ramp)
    level = np.ones(batches)
    if chosen.shock:
        level[int(SHOCK[0] * batches) : int(SHOCK[1] * batches)] = SHOCK[2]
    means = level[:, None, None, None] * CONTROL_RATE * np.array([1.0, chosen.factor])
    peeking = Peeking(runs)
    trace = run_many(controller, means, BATCH_SIZE, generator, both(peeking.watch, report, batches))
    first: dict[str, list[int | None]] = {kind: [None] * runs for kind in ("rollback", "promote", "alarm")}
    for decision in trace.decisions:
        if decision.kind in first and first[decision.kind][decision.run] is None:
            first[decision.kind][decision.run] = decision.requests
    exposure = (trace.shares[:, :, 1].sum(axis=0) * BATCH_SIZE).round(1)
    others = {name: rolled.tolist() for name, rolled in peeking.rolled_back.items()}
    return {**first, "exposure": exposure.tolist(), "others": others}


def both(
    watch: Callable[[NDArray[np.float64]], None], report: Report, batches: int
) -> Callable[[NDArray[np.float64]], None]:
    """Watch, and report how far the run is."""
    done = 0

    def watching(moments: NDArray[np.float64]) -> None:
        nonlocal done
        done += 1
        watch(moments)
        report(done / batches)

    return watching
