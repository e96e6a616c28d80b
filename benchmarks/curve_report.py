"""The table and the figure of `learning-curve`, made from its saved summary alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.ticker import FuncFormatter, NullLocator, PercentFormatter
from rich.console import Group, RenderableType
from rich.text import Text

from benchmarks.labels import label_right
from benchmarks.rows import lookup
from benchmarks.style import display_name, figure, look_of
from benchmarks.summary import CEILING, FLOOR
from benchmarks.tables import REWARD_COLUMNS, cell, interval_name
from benchmarks.terminal import titled_table

REWARD, SHARE = REWARD_COLUMNS[:2]


def arm_name(agent: str, log_decisions: int | None) -> str:
    """How an agent is called in rows: with the log that it learned from, where it has one."""
    return agent if log_decisions is None else f"{agent}, logging {log_decisions}"


def arm_text(arm: str) -> str:
    """An arm with a log, by the name it has in rows, for sentences."""
    agent, _, decisions = arm.rpartition(", logging ")
    return f"{display_name(agent)} from {int(decisions):,} decisions"


def curve_table(summary: Mapping[str, Any]) -> RenderableType:
    """Reward and share of the gap, learner by learner and size by size."""
    rows = lookup(summary["rows"])
    title = f"Offline learners by log size on {summary['settings']['scenario']}"
    table = titled_table(title)
    table.add_column("agent")
    table.add_column("decisions in the log", justify="right")
    for column in (REWARD, SHARE):
        table.add_column(column.heading, justify="right", no_wrap=True)
    for agent in summary["agents"]:
        for size in summary["sizes"]:
            cells = [cell(rows[arm_name(agent, size), column.metric], column) for column in (REWARD, SHARE)]
            table.add_row(display_name(agent), f"{size:,}", *cells)
        table.add_section()
    logging = [cell(rows["logging", column.metric], column) for column in (REWARD, SHARE)]
    table.add_row(display_name("logging"), "-", *logging)
    note = (
        f"{len(summary['seeds'])} training seeds, each with its own logs and "
        f"{summary['settings']['eval_users']:,} held-out users. "
        f"In brackets: {interval_name(len(summary['seeds']))}. "
        f"Gap: {display_name(FLOOR)} is 0 %, the {display_name(CEILING)} 100 %."
    )
    return Group(table, Text(note, style="dim"))


def draw_learning_curve(summary: Mapping[str, Any], folder: Path) -> Path:
    """Share of the gap against log size: means with intervals, a dash per seed.

    Writes PNG and SVG, returns the PNG's path.
    """
    rows = lookup(summary["rows"])
    sizes, agents = summary["sizes"], list(summary["agents"])
    with figure(folder, "learning_curve", figsize=(6.6, 4.2)) as (_, axes):
        labels = []
        for place, agent in enumerate(agents):
            look = look_of(agent, agents)
            mine = [rows[arm_name(agent, size), "gap_share"] for size in sizes]
            shift = 1.03 ** (place - (len(agents) - 1) / 2)
            where = [size * shift for size in sizes]
            means = [row["value"] for row in mine]
            axes.plot(where, means, color=look.colour, ls=look.dash, marker=look.marker)
            for x, size, row in zip(where, sizes, mine, strict=True):
                single = [
                    one["gap_share"]
                    for one in summary["per_seed"]
                    if (one["agent"], one["log_decisions"]) == (agent, size)
                ]
                axes.plot(
                    [x] * len(single), single, color=look.colour, marker="_", ms=9, ls="none", alpha=0.6
                )
                if row["lower"] is not None:
                    axes.plot([x, x], [row["lower"], row["upper"]], color=look.colour, lw=1.4)
            labels.append((means[-1], f"{display_name(agent)}  {means[-1]:.0%}", look.colour))
        logging = rows["logging", "gap_share"]
        look = look_of("logging", agents)
        axes.axhline(logging["value"], color=look.colour, ls=look.dash, lw=1.2)
        if logging["lower"] is not None:
            axes.axhspan(logging["lower"], logging["upper"], color=look.colour, alpha=0.12, lw=0)
        labels.append((logging["value"], f"logging policy  {logging['value']:.0%}", look.colour))
        axes.set_xscale("log")
        axes.set_xlim(min(sizes) / 1.4, max(sizes) * 1.4)
        axes.set_xticks(sizes)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlabel("decisions in the log")
        axes.set_ylabel("gap closed, random to myopic oracle")
        axes.set_title(f"Learning from logs · {summary['settings']['scenario'].split('/')[-1]}")
        label_right(axes, labels)
    return folder / "learning_curve.png"
