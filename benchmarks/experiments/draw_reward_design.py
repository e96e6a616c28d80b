"""The figures of *reward-design*, from its saved summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.experiments.score_reward_design import ARMS, REVENUE, SWEEP, told
from benchmarks.style import LOOKS, Look, figure, sweep_looks

Points = Mapping[tuple[str, str], Mapping[str, Any]]
"""(agent of a row, metric) -> row."""
ACROSS = "first_clicks"
UP = {"first_purchases": "purchases of a first decision", "first_revenue": "revenue of a first decision"}


def draw(summary: Mapping[str, Any], folder: Path) -> None:
    """For each scenario: purchases, and revenue, against clicks; a panel for each arm, its path by reward."""
    for scenario in summary["settings"]["scenarios"]:
        rows = [row for row in summary["rows"] if row["scenario"] == scenario]
        points = {(row["agent"], row["metric"]): row for row in rows}
        # The rewards, in their order: those of the first arm that there is.
        names = [agent for agent, metric in points if metric == ACROSS]
        arms = [arm for arm in ARMS if any(is_of(name, arm) for name in names)]
        rewards = [name.removeprefix(f"{arms[0]}, ") for name in names if is_of(name, arms[0])]
        size = (3.1 * len(arms) + 0.3, 6.6)
        grid = {"figsize": size, "nrows": len(UP), "ncols": len(arms), "squeeze": False}
        with figure(folder, f"reward_design_{scenario}", **grid) as (drawing, axes):
            for line, metric in enumerate(UP):
                for panel, arm in zip(axes[line], arms, strict=True):
                    draw_path(panel, points, arm, rewards, metric)
                axes[line, 0].set_ylabel(UP[metric])
            for panel, arm in zip(axes[0], arms, strict=True):
                panel.set_title(told(arm))
            for panel in axes[-1]:
                panel.set_xlabel("clicks of a first decision")
            drawing.suptitle(f"What agents do, by what they are paid for · {scenario}", x=0.01, ha="left")
            handles, labels = axes[0, 0].get_legend_handles_labels()
            drawing.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8)


def is_of(name: str, arm: str) -> bool:
    """Whether a row's agent is this arm, made for some reward; 'sqn' is not 'sqn, Q head'."""
    reward = name.removeprefix(f"{arm}, ")
    return reward != name and "," not in reward


def looks_of(rewards: Sequence[str]) -> dict[str, Look]:
    """The sweep in one colour, deeper from reward to reward; revenue apart."""
    swept = sweep_looks([f"weight {place}" for place in range(SWEEP)])
    looks = dict(zip(rewards[:SWEEP], swept.values(), strict=False))
    return looks | {reward: Look("#d55e00", "D", "solid") for reward in rewards if reward == REVENUE}


def draw_path(panel: Any, points: Points, arm: str, rewards: Sequence[str], metric: str) -> None:
    """An arm under every reward with its intervals, a line along the sweep; the logging policy beside."""
    looks = looks_of(rewards)
    found = [(points[f"{arm}, {one}", ACROSS], points[f"{arm}, {one}", metric]) for one in rewards]
    path = [(across["value"], up["value"]) for across, up in found[:SWEEP]]
    panel.plot(*zip(*path, strict=True), color="#9a9a9a", lw=0.9, zorder=1)
    for reward, (across, up) in zip(rewards, found, strict=True):
        mark(panel, across, up, looks[reward], reward)
    if arm != "myopic" and ("logging", ACROSS) in points:
        mark(panel, points["logging", ACROSS], points["logging", metric], LOOKS["logging"], None)
        panel.annotate(
            "logging policy",
            (points["logging", ACROSS]["value"], points["logging", metric]["value"]),
            xytext=(5, 5),
            textcoords="offset points",
            fontsize=7.5,
            color="#444444",
        )
    panel.margins(0.15)


def mark(panel: Any, across: Mapping[str, Any], up: Mapping[str, Any], look: Look, label: str | None) -> None:
    """A point with its intervals."""
    x, y = across["value"], up["value"]
    panel.plot(x, y, color=look.colour, marker=look.marker, ls="none", ms=7, zorder=5, label=label)
    if up["lower"] is not None:
        panel.plot([x, x], [up["lower"], up["upper"]], color=look.colour, lw=1, zorder=4)
        panel.plot([across["lower"], across["upper"]], [y, y], color=look.colour, lw=1, zorder=4)
