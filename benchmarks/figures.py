"""The figures of `compare`, drawn from its saved summary alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from benchmarks.labels import Mark, label_points, label_right
from benchmarks.rows import lookup
from benchmarks.style import display_name, figure, look_of

FEW_LEFT = 0.05
"""Curves over steps end where no policy keeps more than this share of its users."""


def draw_figures(summary: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw all figures of a comparison as PNG and SVG; returns the PNG paths."""
    draw_cumulative_reward(summary, folder)
    draw_exploration(summary, folder)
    draw_exposure(summary, folder)
    return [folder / f"{name}.png" for name in ("cumulative_reward", "exploration", "exposure")]


def draw_cumulative_reward(summary: Mapping[str, Any], folder: Path) -> None:
    """Mean reward per user earned up to each step, and the total of the whole session at the right."""
    agents, rows = _by_reward(summary), lookup(summary["rows"])
    last = _last_step(summary)
    with figure(folder, "cumulative_reward", figsize=(7.2, 4.2)) as (_, axes):
        slot = last * 0.018
        start = last * 1.05
        end = start + slot * (len(agents) + 1)
        for index, agent in enumerate(agents):
            look = look_of(agent, agents)
            _band(axes, summary, agent, "cumulative_reward", last)
            total = rows[agent, "reward_per_user"]
            _point(axes, start + slot * (index + 1), total, look, vertical=True)
        axes.axvspan(start, end, color="#f4f4f4", zorder=0, lw=0)
        axes.set_xlim(0, end)
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        ticks = [tick for tick in axes.get_xticks() if 0 <= tick <= last * 0.97]
        axes.set_xticks([*ticks, (start + end) / 2], [*(f"{tick:g}" for tick in ticks), "whole\nsession"])
        axes.set_xlabel("step of the session (decisions)")
        axes.set_ylabel("cumulative reward per user")
        axes.set_title(_title("Reward earned by step", summary))
        labels = []
        for agent in agents:
            total = rows[agent, "reward_per_user"]["value"]
            labels.append((total, f"{display_name(agent)}  {total:.2f}", look_of(agent, agents).colour))
        label_right(axes, labels)


def draw_exploration(summary: Mapping[str, Any], folder: Path) -> None:
    """Left: share of the catalog shown to anyone by each step. Right: entropy of what was shown."""
    agents, rows = _by_reward(summary), lookup(summary["rows"])
    last = _last_step(summary)
    with figure(folder, "exploration", figsize=(9.6, 4.2), ncols=2, width_ratios=[1.25, 1]) as (
        _,
        (left, right),
    ):
        for agent in agents:
            _band(left, summary, agent, "coverage", last)
        left.set_xlim(0, last)
        left.set_ylim(0, 1.03)
        left.yaxis.set_major_formatter(PercentFormatter(1.0))
        left.set_xlabel("step of the session (decisions)")
        left.set_ylabel("catalog shown to anyone so far")
        left.set_title(_title("Catalog coverage", summary))
        labels = []
        for agent in agents:
            share = summary["curves"][agent]["coverage"]["mean"][last]
            labels.append((share, display_name(agent), look_of(agent, agents).colour))
        label_right(left, labels)
        _dots(right, summary, agents, "action_entropy")
        ceiling = float(np.log(summary["settings"]["num_items"]))
        right.axvline(ceiling, color="#9a9a9a", lw=0.8, ls=(0, (2, 2)))
        right.set_xlim(0, ceiling * 1.04)
        right.set_xlabel("entropy of the items shown, nats\n(dotted line: all items equally often)")
        right.set_title("Action entropy")
        right.text(
            1.02,
            1.0,
            "items\nin effect",
            transform=right.transAxes,
            fontsize=7.5,
            color="#555555",
            va="bottom",
        )
        for place, agent in enumerate(agents):
            effective = np.exp(rows[agent, "action_entropy"]["value"])
            right.annotate(
                f"{effective:,.0f}",
                (1.02, place),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=8,
                color=look_of(agent, agents).colour,
                annotation_clip=False,
            )


def draw_exposure(summary: Mapping[str, Any], folder: Path) -> None:
    """Left: Lorenz curves of exposure. Middle and right: tail share and Gini against reward."""
    agents, rows = _by_reward(summary), lookup(summary["rows"])
    with figure(folder, "exposure", figsize=(11.5, 4.2), ncols=3, width_ratios=[1.15, 1, 1]) as (_, axes):
        left = axes[0]
        left.plot([0, 1], [0, 1], color="#9a9a9a", lw=0.8, ls=(0, (2, 2)))
        for agent in agents:
            _band(left, summary, agent, "lorenz", 100, x=np.linspace(0, 1, 101))
        for axis in (left.xaxis, left.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0))
        left.set_xlim(0, 1)
        left.set_ylim(0, 1)
        left.set_xlabel("share of items, least shown first")
        left.set_ylabel("share of impressions")
        left.set_title(_title("Lorenz curves", summary))
        _label_lorenz(left, summary, agents)
        marks: dict[Axes, list[Mark]] = {}
        for panel, metric, title in (
            (axes[1], "tail_share", "Long tail"),
            (axes[2], "exposure_gini", "Inequality"),
        ):
            reward = {agent: rows[agent, "reward_per_user"] for agent in agents}
            marks[panel] = [_cross(panel, reward[a], rows[a, metric], a, agents) for a in agents]
            panel.set_xlabel("reward per user")
            panel.set_title(title)
            panel.margins(x=0.12, y=0.12)
        axes[1].yaxis.set_major_formatter(PercentFormatter(1.0))
        axes[1].set_ylabel("impressions that go to the tail")
        axes[2].set_ylabel("Gini coefficient of exposure")
        axes[2].set_ylim(top=min(axes[2].get_ylim()[1], 1.02))
        for panel, points in marks.items():
            label_points(panel, points)


def _title(text: str, summary: Mapping[str, Any]) -> str:
    return f"{text} · {summary['settings']['scenario'].split('/')[-1]}"


def _by_reward(summary: Mapping[str, Any]) -> list[str]:
    rows = lookup(summary["rows"])
    return sorted(summary["agents"], key=lambda agent: rows[agent, "reward_per_user"]["value"])


def _last_step(summary: Mapping[str, Any]) -> int:
    survival = np.array([curves["survival"]["mean"] for curves in summary["curves"].values()])
    return max(1, int(np.flatnonzero(survival.max(axis=0) > FEW_LEFT)[-1]))


def _band(
    axes: Axes, summary: Mapping[str, Any], agent: str, name: str, last: int, x: np.ndarray | None = None
) -> None:
    """A mean curve with its interval and a few markers."""
    look = look_of(agent, list(summary["agents"]))
    curve = {
        part: np.array(values[: last + 1], dtype=float)
        for part, values in summary["curves"][agent][name].items()
    }
    where = np.arange(last + 1) if x is None else x
    every = max(1, len(where) // 7)
    place = list(summary["agents"]).index(agent)
    axes.plot(
        where,
        curve["mean"],
        color=look.colour,
        ls=look.dash,
        marker=look.marker,
        markevery=(every // 2 + place * every // (2 * len(summary["agents"])), every),
        ms=5,
        clip_on=True,
    )
    axes.fill_between(where, curve["lower"], curve["upper"], color=look.colour, alpha=0.18, lw=0)


def _point(axes: Axes, position: float, row: Mapping[str, Any], look: Any, vertical: bool) -> None:
    """A mean with its interval, along y (vertical) or x."""
    x, y = (position, row["value"]) if vertical else (row["value"], position)
    axes.plot(x, y, color=look.colour, marker=look.marker, ls="none", clip_on=False, zorder=5)
    if row["lower"] is not None:
        ends = [row["lower"], row["upper"]]
        line = ([position, position], ends) if vertical else (ends, [position, position])
        axes.plot(*line, color=look.colour, lw=1.4, zorder=4)


def _dots(axes: Axes, summary: Mapping[str, Any], agents: list[str], metric: str) -> None:
    """One row per agent: the mean and its interval."""
    rows = lookup(summary["rows"])
    for place, agent in enumerate(agents):
        _point(axes, place, rows[agent, metric], look_of(agent, agents), vertical=False)
    axes.set_yticks(range(len(agents)), [display_name(agent) for agent in agents])
    for tick, agent in zip(axes.get_yticklabels(), agents, strict=True):
        tick.set_color(look_of(agent, agents).colour)
    axes.set_ylim(-0.6, len(agents) - 0.4)
    axes.grid(axis="y", visible=False)


def _cross(
    axes: Axes, across: Mapping[str, Any], up: Mapping[str, Any], agent: str, agents: list[str]
) -> Mark:
    """Draw a point with its intervals in both directions; returns what is needed to label it."""
    look = look_of(agent, agents)
    x_range, y_range = (
        (row["value"],) * 2 if row["lower"] is None else (row["lower"], row["upper"]) for row in (across, up)
    )
    axes.plot(across["value"], up["value"], color=look.colour, marker=look.marker, ls="none", ms=7, zorder=5)
    axes.plot(x_range, [up["value"]] * 2, color=look.colour, lw=1.2)
    axes.plot([across["value"]] * 2, y_range, color=look.colour, lw=1.2)
    return Mark(across["value"], up["value"], x_range, y_range, display_name(agent), look.colour)


def _label_lorenz(axes: Axes, summary: Mapping[str, Any], agents: list[str]) -> None:
    """A legend with Gini coefficients in the empty upper left triangle, most equal first."""
    rows = lookup(summary["rows"])
    order = sorted(agents, key=lambda agent: rows[agent, "exposure_gini"]["value"])
    for place, agent in enumerate(order):
        look = look_of(agent, agents)
        y = 0.95 - 0.062 * place
        axes.plot(
            [0.03, 0.12], [y, y], color=look.colour, ls=look.dash, marker=look.marker, markevery=[1], ms=5
        )
        text = f"{display_name(agent)}  G = {rows[agent, 'exposure_gini']['value']:.2f}"
        axes.text(0.15, y, text, color=look.colour, fontsize=8, va="center")
