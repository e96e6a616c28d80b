"""A session's latest frame as a picture, drawn with matplotlib; imported only when one is asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from recsim_env.frames import Frame, event_names, notable_topics

SIZE = (9.6, 6.0)  # inches
DPI = 100
MAX_POSITIONS = 10
MAX_TOPICS = 10
HISTORY = 6

INK, MUTED, GRID = "#1c1c1c", "#5b5b5b", "#e4e4e4"
INTEREST, SATIATION, TASTE = "#0072b2", "#e69f00", "#1c1c1c"
OUTCOME = {0: "#b9c4cc", 1: "#56b4e9", 2: "#cc79a7", 4: "#009e73"}
"""Colour of a position by its strongest event; the palette of Okabe and Ito (2008)."""


def draw_session(frames: Sequence[Frame]) -> NDArray[np.uint8]:
    """The latest frame and the way there: [600, 960, 3] uint8, whatever the frame."""
    figure = Figure(figsize=SIZE, dpi=DPI, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        2, 6, height_ratios=(1.75, 1), left=0.15, right=0.975, top=0.85, bottom=0.09, hspace=0.55, wspace=1.1
    )
    _heading(figure, frames[-1])
    _slate(figure.add_subplot(grid[0, :3]), frames[-1])
    _topics(figure.add_subplot(grid[0, 3:]), frames)
    _rewards(figure.add_subplot(grid[1, :2]), frames)
    _line(figure.add_subplot(grid[1, 2:4]), "satisfaction", [frame.satisfaction for frame in frames], 1.0)
    _line(figure.add_subplot(grid[1, 4:]), "patience", [frame.patience for frame in frames], None)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def _heading(figure: Figure, now: Frame) -> None:
    who = f"user {now.user_id} · visit {now.visit} · segment {now.segment}"
    figure.text(0.02, 0.955, who, fontsize=13, fontweight="bold", color=INK, va="center")
    left = " · the user has left" if now.ended else ""
    what = f"step {now.step}{left} · reward {now.total_reward:.2f}, expected {now.total_expected:.2f}"
    figure.text(0.975, 0.955, what, fontsize=11, color=INK, va="center", ha="right")


def _style(axes: Axes, title: str, grid: str) -> None:
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold", color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(labelsize=8, colors=MUTED, labelcolor=INK, length=2.5)
    axes.grid(axis=grid, color=GRID, lw=0.6)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def _slate(axes: Axes, now: Frame) -> None:
    """Click probability and outcome of each position."""
    shown = now.slate[:MAX_POSITIONS]
    hidden = len(now.slate) - len(shown)
    _style(axes, f"slate: click probability, outcome{f' ({hidden} more)' if hidden else ''}", "x")
    axes.set_xlim(0, 1)
    latest = "  ".join(f"{one.item}:{one.topic}" for one in now.history[-HISTORY:])
    axes.set_xlabel(f"history, item:topic, latest last\n{latest or 'none'}", fontsize=8, color=MUTED)
    rows = max(len(shown), 6)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_yticks(
        range(len(shown)), [f"{one.item} · topic {one.topic} · {one.price:,.2f}" for one in shown]
    )
    axes.tick_params(axis="y", length=0)
    for position, one in enumerate(shown):
        colour = OUTCOME[1 << one.events.bit_length() >> 1]
        axes.barh(position, one.click_prob, height=0.62, color=colour)
        outcome = ", ".join(event_names(one.events))
        text = f"{one.click_prob:.2f}  {outcome}"
        inside = one.click_prob > 0.6
        axes.text(
            one.click_prob + (-0.015 if inside else 0.015),
            position,
            text,
            fontsize=8.5,
            fontweight="bold" if outcome else "normal",
            va="center",
            ha="right" if inside else "left",
            color=INK,
        )
    if not shown:
        axes.text(0.5, 0.5, "nothing shown yet", transform=axes.transAxes, ha="center", color=MUTED)


def _topics(axes: Axes, frames: Sequence[Frame]) -> None:
    """Interest and satiation of the topics that matter in this session, with the long-run taste."""
    now = frames[-1]
    topics = notable_topics(frames, MAX_TOPICS)
    hidden = len(now.interest) - len(topics)
    _style(axes, "topics", "x")
    if hidden:
        axes.set_xlabel(f"and {hidden} more topics", fontsize=8, color=MUTED)
    place = np.arange(len(topics))
    axes.barh(place - 0.19, now.interest[topics], height=0.36, color=INTEREST, label="interest")
    axes.barh(place + 0.19, now.satiation[topics], height=0.36, color=SATIATION, label="satiation")
    axes.plot(now.taste[topics], place - 0.19, "|", color=TASTE, ms=9, mew=1.6, label="long-run taste")
    axes.axvline(0, color=MUTED, lw=0.8)
    axes.set_xlim(min(-0.2, float(now.interest[topics].min()) - 0.05), 1)
    axes.set_ylim(max(len(topics), 4) - 0.5, -0.5)
    axes.set_yticks(place, [f"topic {topic}" for topic in topics])
    axes.tick_params(axis="y", length=0)
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.02, 0.99), ncols=3, fontsize=8, frameon=False, handlelength=1.0,
        columnspacing=1.0, borderpad=0.1,
    )  # fmt: skip


def _steps(axes: Axes, frames: Sequence[Frame]) -> list[int]:
    steps = [frame.step for frame in frames]
    axes.set_xlim(steps[0], max(steps[-1], steps[0] + 5))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return steps


def _rewards(axes: Axes, frames: Sequence[Frame]) -> None:
    _style(axes, "cumulative reward", "y")
    steps = _steps(axes, frames)
    axes.plot(steps, [frame.total_expected for frame in frames], color=MUTED, lw=1.4, ls=(0, (3, 2)))
    axes.plot(steps, [frame.total_reward for frame in frames], color=INK, lw=1.8)
    axes.set_xlabel("step (dashed: expected)", fontsize=8, color=MUTED)
    axes.margins(y=0.1)


def _line(axes: Axes, name: str, values: Sequence[float], high: float | None) -> None:
    _style(axes, name, "y")
    axes.plot(range(len(values)), values, color=INTEREST, lw=1.8)
    axes.plot(len(values) - 1, values[-1], "o", color=INTEREST, ms=4, clip_on=False)
    axes.set_xlim(0, max(len(values) - 1, 5))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_ylim(0 if min(values) >= 0 else min(values) * 1.1, max(values) * 1.1 if high is None else high)
    axes.set_xlabel("step", fontsize=8, color=MUTED)
