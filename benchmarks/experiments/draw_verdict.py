"""The figures of *verdict*, from its saved summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import PercentFormatter

from benchmarks.experiments.dots import cross, dot, panels
from benchmarks.experiments.kinds import agent_looks, kind_look
from benchmarks.experiments.normalised import FLOOR, PLANNING
from benchmarks.experiments.paired import LEVEL, Twin
from benchmarks.experiments.score_verdict import SHUFFLED, TWINS
from benchmarks.labels import label_points
from benchmarks.rows import lookup_row
from benchmarks.style import LOOKS, Look, display_name, figure

Rows = Sequence[Mapping[str, Any]]


def draw(summary: Mapping[str, Any], folder: Path) -> None:
    """Normalised scores, differences of twins, performance profile, reward against exposure."""
    rows = summary["rows"]
    scenarios: list[str] = summary["settings"]["scenarios"]
    agents = list(dict.fromkeys(row["agent"] for row in rows if row["metric"] == "normalised_score"))
    draw_scores(rows, scenarios, agents, folder)
    if any("p_corrected" in row for row in rows):
        draw_twins(rows, scenarios, agents, folder)
    plain = [agent for agent in agents if ":" not in agent and agent not in (PLANNING, FLOOR)]
    looks = agent_looks(plain)
    if summary["curves"]["profiles"]:
        draw_profiles(summary["curves"], looks, folder)
    draw_exposure(rows, scenarios, looks, folder)


def draw_scores(rows: Rows, scenarios: Sequence[str], agents: Sequence[str], folder: Path) -> None:
    """A panel for each world, a line for each agent that takes part somewhere; controls are hollow."""
    found = of_metric(rows, "normalised_score")
    order = sorted(
        agents,
        key=lambda agent: np.mean([found[agent, one]["value"] for one in scenarios if (agent, one) in found]),
    )
    lines = [(display_name(agent), kind_look(agent).colour) for agent in order]
    with panels(folder, "verdict_scores", scenarios, lines) as axes:
        for panel, scenario in zip(axes, scenarios, strict=True):
            for end in (0.0, 1.0):
                panel.axvline(end, color="#9a9a9a", lw=0.8)
            for line, agent in enumerate(order):
                if (agent, scenario) in found:
                    dot(panel, line, found[agent, scenario], kind_look(agent), ":" not in agent)
            panel.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            panel.set_xlabel("share of the gap from random\nto the planning oracle")


def draw_twins(rows: Rows, scenarios: Sequence[str], agents: Sequence[str], folder: Path) -> None:
    """A panel for each world, a line for each agent and control; filled where a difference is shown."""
    twins = [twin for twin in TWINS if twin.agent in agents and twin.control in agents][::-1]
    lines = [(f"{twin.text}  ({twin.asks})", twin_look(twin).colour) for twin in twins]
    found = [of_metric(rows, f"reward_minus_{twin.control}") for twin in twins]
    with panels(folder, "verdict_twins", scenarios, lines) as axes:
        for panel, scenario in zip(axes, scenarios, strict=True):
            top, bottom = (
                lookup_row(rows, scenario, agent, "reward_per_user")["value"] for agent in (PLANNING, FLOOR)
            )
            panel.axvline(0, color="#9a9a9a", lw=0.8)
            for line, twin in enumerate(twins):
                one = found[line].get((twin.agent, scenario))
                if one is None:
                    continue
                shown = one["p_corrected"] <= LEVEL and one["lower"] * one["upper"] > 0
                scaled = {end: one[end] / (top - bottom) for end in ("value", "lower", "upper")}
                dot(panel, line, scaled, twin_look(twin), shown)
            panel.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            panel.set_xlabel("difference, share of the gap\n(filled: shown, after Holm)")


def of_metric(rows: Rows, metric: str) -> dict[tuple[str, str], Mapping[str, Any]]:
    """(agent, scenario) -> its row of a metric."""
    return {(row["agent"], row["scenario"]): row for row in rows if row["metric"] == metric}


def twin_look(twin: Twin) -> Look:
    """That of the learner; grey where nothing is to be found."""
    return LOOKS["logging"] if twin.agent == SHUFFLED else kind_look(twin.agent)


def draw_profiles(curves: Mapping[str, Any], looks: Mapping[str, Look], folder: Path) -> None:
    """The share of runs above each normalised score, with pointwise bands; the largest area first."""
    thresholds, profiles = curves["thresholds"], curves["profiles"]
    shown = [agent for agent in looks if agent in profiles]
    order = sorted(shown, key=lambda agent: -sum(profiles[agent]["value"]))
    with figure(folder, "verdict_profile", figsize=(7.6, 4.6)) as (_, axes):
        for agent in order:
            look, profile = looks[agent], profiles[agent]
            axes.plot(
                thresholds,
                profile["value"],
                color=look.colour,
                ls=look.dash,
                marker=look.marker,
                markevery=0.12,
                ms=4,
                label=display_name(agent),
            )
            axes.fill_between(
                thresholds, profile["lower"], profile["upper"], color=look.colour, alpha=0.07, lw=0
            )
        axes.set_xlim(thresholds[0], thresholds[-1])
        axes.set_ylim(0, 1.02)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.set_xlabel("share of the gap from random to the planning oracle")
        axes.set_ylabel("runs that reach more")
        axes.set_title("Performance profile, the negative control aside")
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8)


def draw_exposure(rows: Rows, scenarios: Sequence[str], looks: Mapping[str, Look], folder: Path) -> None:
    """Tail share against normalised score, of the agents without settings."""
    score, tail = of_metric(rows, "normalised_score"), of_metric(rows, "tail_share")
    ncols = min(len(scenarios), 2)
    nrows = -(-len(scenarios) // ncols)
    size = (5.4 * ncols, 4.3 * nrows)
    grid = {"figsize": size, "ncols": ncols, "nrows": nrows, "squeeze": False}
    with figure(folder, "verdict_exposure", **grid) as (_, axes):
        for panel, scenario in zip(axes.flat, scenarios, strict=False):
            marks = [
                cross(
                    panel,
                    score[agent, scenario],
                    tail[agent, scenario],
                    look,
                    display_name(agent),
                )
                for agent, look in looks.items()
                if (agent, scenario) in score
            ]
            panel.set_title(scenario)
            panel.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            panel.margins(0.14)
            panel.set_xlabel("share of the gap from random to the planning oracle")
            panel.set_ylabel("impressions that go to the tail")
            label_points(panel, marks)
        for panel in axes.flat[len(scenarios) :]:
            panel.set_visible(False)
