"""The figures of `recsim-env deploy --study`, drawn from its saved results alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import MultipleLocator, PercentFormatter

from benchmarks.deploy_report import power_curve
from benchmarks.deploy_worlds import WORLDS
from benchmarks.labels import label_right
from benchmarks.style import LOOKS, SPARE, figure
from benchmarks.tasks import TaskFolder

DRAWN = ("ab_test", "epsilon_greedy", "ucb", "thompson", "discounted_thompson", "detected_thompson")
SEGMENTED = "segment_detected_ucb"


def draw_study(folder: TaskFolder, summary: Mapping[str, Any], out: Path) -> list[Path]:
    """The power of the rollback test, and dynamic regret over time in every changing world."""
    draw_power(summary, out)
    draw_worlds(folder, out)
    return [out / "power.png", out / "drift_regret.png"]


def draw_power(summary: Mapping[str, Any], out: Path) -> None:
    """Left: how often a bad release is rolled back. Right: after how many requests, in the median."""
    curve = power_curve(summary["rows"])
    harm = [1 - factor for factor, _, _ in curve]
    with figure(out, "power", figsize=(8.6, 3.4), ncols=2) as (_, (left, right)):
        look = LOOKS["dqn"]
        value = np.array([rolled["value"] for _, rolled, _ in curve])
        ends = np.array([[rolled["lower"], rolled["upper"]] for _, rolled, _ in curve]).T
        left.errorbar(harm, value, np.abs(ends - value), color=look.colour, marker=look.marker, ms=4, lw=1.4)
        left.set_ylim(-0.02, 1.04)
        left.yaxis.set_major_formatter(PercentFormatter(1.0))
        left.set_title("releases rolled back within the horizon")
        known = [(1 - factor, late) for factor, _, late in curve if late["value"] is not None and factor < 1]
        middle = np.array([late["value"] for _, late in known])
        range_ = np.array([[late["lower"], late["upper"]] for _, late in known]).T
        right.errorbar(
            [x for x, _ in known],
            middle,
            np.abs(range_ - middle),
            color=look.colour,
            marker=look.marker,
            ms=4,
        )
        right.set_yscale("log")
        right.set_title("median requests until rollback, if ever")
        for axes in (left, right):
            axes.set_xlabel("harm: reward lost by the release, share of the control's")
            axes.xaxis.set_major_locator(MultipleLocator(0.05))
            axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def draw_worlds(folder: TaskFolder, out: Path) -> None:
    """Dynamic regret over time, mean over the seeds: one panel for each changing world."""
    from benchmarks.deploy_study import slug

    worlds = [world for world in WORLDS if world != "stationary"]
    looks = [LOOKS["popular"], *SPARE[:2], LOOKS["dqn"], LOOKS["ips"], LOOKS["sqn"], SPARE[3]]
    with figure(out, "drift_regret", figsize=(11.5, 6.6), nrows=2, ncols=2) as (_, grid):
        for axes, world in zip(grid.ravel(), worlds, strict=True):
            names = [*DRAWN, SEGMENTED] if world == "per-segment drift" else list(DRAWN)
            labels = []
            for name, look in zip(names, looks, strict=False):
                curve = folder.result(f"regret-{slug(world)}-{name}")["curve"]
                axes.plot(curve, color=look.colour, ls=look.dash)
                labels.append((curve[-1], name.replace("_", " "), look.colour))
            axes.set_title(world)
            axes.set_xlim(0, len(curve))
            axes.set_ylim(bottom=0)
            label_right(axes, labels)
        for axes in grid[-1]:
            axes.set_xlabel("batch of 1,000 requests")
        for axes in grid[:, 0]:
            axes.set_ylabel("dynamic regret")
