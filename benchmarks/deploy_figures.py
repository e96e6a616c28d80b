"""The figures of `recsim-env deploy`, drawn from its saved summary alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from benchmarks.style import LOOKS, SPARE, Look, figure

ARM_LOOKS = [LOOKS["logging"], LOOKS["sqn"], LOOKS["dqn"], LOOKS["ips"], *SPARE]
SMOOTHING = 5
"""Batches over which traffic shares are averaged."""
COLUMNS = 4
MARKS = {"rollback": "v", "promote": "^", "change": "|", "alarm": "*"}
WORDS = {"rollback": "rolled back", "promote": "promoted", "change": "restart", "alarm": "alarm"}


def draw_deployment(summary: Mapping[str, Any], folder: Path) -> list[Path]:
    """Traffic shares with events; cumulative and dynamic regret; exposure to the worst arm.

    Writes PNG and SVG, returns the PNG paths.
    """
    draw_traffic(summary, folder)
    draw_regret(summary, folder)
    return [folder / "traffic.png", folder / "regret.png"]


def _time(summary: Mapping[str, Any]) -> tuple[np.ndarray, str]:
    hours = summary["hours"]
    if hours:
        return np.array(hours) / 24, "day of the run"
    count = len(summary["rows"][0]["dynamic"])
    return np.arange(count) * summary["batch_size"], "users served"


def _changes(axes: Axes, summary: Mapping[str, Any]) -> None:
    for change in summary["changes"]:
        start = change["start"] / 24
        if change["kind"] == "gradual":
            axes.axvspan(start, start + change["length"] / 24, color="#000000", alpha=0.08, lw=0)
        elif change["kind"] == "sudden":
            axes.axvline(start, color="#000000", lw=0.9, ls=(0, (2, 2)))


def draw_traffic(summary: Mapping[str, Any], folder: Path) -> None:
    """A panel for each strategy: shares of the traffic, stacked, with its events above."""
    rows, arms = summary["rows"], summary["arms"]
    columns = min(COLUMNS, len(rows) + 1)
    lines = math.ceil((len(rows) + 1) / columns)
    options: Any = {
        "figsize": (2.7 * columns + 0.6, 1.75 * lines + 0.9),
        "nrows": lines,
        "ncols": columns,
        "squeeze": False,
        "sharex": True,
    }
    time, label = _time(summary)
    with figure(folder, "traffic", **options) as (drawing, grid):
        panels = grid.ravel()
        looks = ARM_LOOKS
        _arm_rewards(panels[0], summary, time, looks)
        for axes, row in zip(panels[1:], rows, strict=False):
            _stack(axes, row, time, looks[: len(arms)])
            _changes(axes, summary)
            axes.set_title(row["strategy"].replace("_", " "), pad=12)
            _events(axes, row, time, arms, looks)
        for axes in panels[len(rows) + 1 :]:
            axes.set_visible(False)
        for axes in panels[: len(rows) + 1]:
            axes.set_xlim(time[0], time[-1])
        for column in range(columns):
            below = [axes for axes in grid[:, column] if axes.get_visible()]
            below[-1].set_xlabel(label)
            below[-1].tick_params(labelbottom=True)
        arm_marks = [
            panels[0].plot([], [], color=looks[i].colour, lw=5, label=_short(arm))[0]
            for i, arm in enumerate(arms)
        ]
        seen = {kind for row in rows for _, kind, _ in row["events"]}
        marks = [
            panels[0].plot([], [], ls="none", marker=mark, color="#000000", ms=5, label=WORDS[kind])[0]
            for kind, mark in MARKS.items()
            if kind in seen
        ]
        drawing.legend(handles=[*arm_marks, *marks], loc="outside lower center", ncols=8, fontsize=8)


def _arm_rewards(axes: Axes, summary: Mapping[str, Any], time: np.ndarray, looks: Sequence[Look]) -> None:
    curves = np.array(summary["arm_rewards"])
    for arm in range(curves.shape[1]):
        axes.plot(time, curves[:, arm], color=looks[arm].colour, lw=1.4)
    _changes(axes, summary)
    axes.set_ylim(bottom=0)
    axes.set_title("what each arm earns a user", pad=12)


def _stack(axes: Axes, row: Mapping[str, Any], time: np.ndarray, looks: Sequence[Look]) -> None:
    shares = np.array(row["shares"])
    kernel = np.ones(SMOOTHING) / SMOOTHING
    edge = np.pad(shares, ((SMOOTHING // 2, SMOOTHING // 2), (0, 0)), mode="edge")
    smooth = np.stack([np.convolve(edge[:, arm], kernel, mode="valid") for arm in range(shares.shape[1])])
    axes.stackplot(time, smooth, colors=[look.colour for look in looks], alpha=0.8, lw=0)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(visible=False)


def _events(
    axes: Axes, row: Mapping[str, Any], time: np.ndarray, arms: Sequence[str], looks: Sequence[Look]
) -> None:
    for batch, kind, arm in row["events"]:
        if kind not in MARKS:
            continue
        place = time[min(max(batch - 1, 0), len(time) - 1)]
        colour = looks[arms.index(arm)].colour if arm else "#000000"
        axes.plot(place, 1.06, MARKS[kind], color=colour, ms=5, clip_on=False, zorder=6)


def draw_regret(summary: Mapping[str, Any], folder: Path) -> None:
    """Cumulated dynamic regret, regret to the best single arm, and users on the worst arm."""
    rows = summary["rows"]
    time, label = _time(summary)
    palette = [*(LOOKS[name] for name in ("dqn", "sqn", "ips")), *SPARE, LOOKS["popular"], LOOKS["random"]]
    worst = _short(summary["arms"][int(np.argmin(summary["mean_reward"]))])
    titles = {
        "dynamic": "regret to the best arm of each time",
        "fixed": "regret to the best single arm",
        "bad": f"users on the worst arm, {worst}",
    }
    with figure(folder, "regret", figsize=(12.6, 4.4), ncols=3) as (drawing, panels):
        for axes, (key, title) in zip(panels, titles.items(), strict=True):
            for place, row in enumerate(rows):
                look = palette[place % len(palette)]
                dash = look.dash if place < len(palette) else (0, (1, 0.6))
                name = row["strategy"].replace("_", " ")
                axes.plot(time, row[key], color=look.colour, ls=dash, lw=1.3, label=name)
            _changes(axes, summary)
            axes.set_xlim(time[0], time[-1])
            axes.set_ylim(bottom=0)
            axes.set_title(title)
            axes.set_xlabel(label)
        worst_first = sorted(range(len(rows)), key=lambda place: -rows[place]["dynamic"][-1])
        lines = [panels[0].lines[place] for place in worst_first]
        drawing.legend(handles=lines, loc="outside right center", fontsize=8, title="highest regret first")


def _short(arm: str) -> str:
    return Path(arm).name if "/" in arm else arm
