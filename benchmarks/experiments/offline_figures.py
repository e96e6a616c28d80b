"""The figures of *offline*: shares of the gap along each sweep, and estimates against truths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.ticker import PercentFormatter

from benchmarks.experiments.offline_task import ESTIMATORS
from benchmarks.rows import lookup_row
from benchmarks.style import MARKERS, Look, figure, sweep_looks

TITLES = {
    "snips": "SNIPS",
    "dm": "direct method",
    "dr": "doubly robust",
    "fqe": "fitted Q evaluation",
    "tabular_marginal_is": "marginal IS, table of states",
}


def draw(summary: Mapping[str, Any], folder: Path) -> None:
    """Two figures: what was learned, and what was estimated."""
    draw_sweeps(summary, folder)
    draw_scatter(summary, folder)


def learner_looks(learners: Sequence[str]) -> dict[str, Look]:
    """Colours by family, and a marker for each, so that grey print tells them apart."""
    looks = sweep_looks(list(learners))
    return {
        name: look._replace(marker=marker)
        for (name, look), marker in zip(looks.items(), MARKERS, strict=False)
    }


def draw_sweeps(summary: Mapping[str, Any], folder: Path) -> None:
    """Share of the gap by log size, by support and by logging policy; the policy itself as a bar."""
    size = summary["settings"]
    looks, base = learner_looks(size["learners"]), size["base_size"]
    sweeps = (
        ("log of the logging policy, decisions", [("logging", n) for n in size["log_sizes"]]),
        (f"support of {base:,} decisions", [(policy, base) for policy in size["supports"]]),
        (f"quality of {base:,} decisions", [(policy, base) for policy in size["qualities"]]),
    )
    widths = [len(logs) for _, logs in sweeps]
    options: dict[str, Any] = {"ncols": 3, "sharey": True, "width_ratios": widths}
    with figure(folder, "offline_sweeps", figsize=(12.5, 4.8), **options) as (drawing, axes):
        for panel, (label, logs) in zip(axes, sweeps, strict=True):
            draw_sweep(panel, summary, logs, looks)
            names = [f"{n // 1000:,}k" if n >= 1000 else str(n) for _, n in logs]
            if len({n for _, n in logs}) == 1:
                names = [policy.replace(" ", "\n").replace("-", "-\n") for policy, _ in logs]
            panel.set_xticks(range(len(logs)), names)
            panel.set_xlim(-0.5, len(logs) - 0.5)
            panel.set_xlabel(label)
            panel.grid(visible=False, axis="x")
        axes[0].set_ylabel("share of the gap, random to myopic oracle")
        axes[0].yaxis.set_major_formatter(PercentFormatter(1.0))
        axes[0].set_title(f"Length · {size['scenario']}")
        axes[1].set_title("Support")
        axes[2].set_title("Quality")
        handles, labels = axes[0].get_legend_handles_labels()
        drawing.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)


def draw_sweep(
    panel: Any, summary: Mapping[str, Any], logs: Sequence[tuple[str, int]], looks: Mapping[str, Look]
) -> None:
    """One panel: learners side by side at each log, so that intervals do not cover each other."""
    rows, place = summary["rows"], summary["settings"]["scenario"]
    for x, (policy, _) in enumerate(logs):
        own = lookup_row(rows, place, policy, "gap_share")["value"]
        label = "the policy that made the log" if x == 0 else None
        panel.plot([x - 0.42, x + 0.42], [own, own], color="#000000", lw=2, zorder=1, label=label)
    for number, (learner, look) in enumerate(looks.items()):
        shift = 0.7 * ((number + 0.5) / len(looks) - 0.5)
        found = [lookup_row(rows, place, f"{learner}, {policy} {n}", "gap_share") for policy, n in logs]
        across = np.arange(len(logs)) + shift
        panel.plot(across, [one["value"] for one in found], color=look.colour, lw=0.6, ls=look.dash, zorder=2)
        panel.plot(
            across,
            [one["value"] for one in found],
            color=look.colour,
            marker=look.marker,
            ls="none",
            ms=5,
            zorder=4,
            label=learner,
        )
        for x, one in zip(across, found, strict=True):
            if one["lower"] is not None:
                panel.plot([x, x], [one["lower"], one["upper"]], color=look.colour, lw=1.2, zorder=3)


def draw_scatter(summary: Mapping[str, Any], folder: Path) -> None:
    """For each estimator: estimate against the truth that it estimates, means over seeds, with the diagonal.

    Estimates far outside the truths are drawn at the edge, as open marks.
    """
    looks = learner_looks(summary["settings"]["learners"])
    with figure(folder, "offline_estimates", figsize=(13.0, 3.6), ncols=len(ESTIMATORS)) as (drawing, axes):
        for panel, (name, kind) in zip(axes, ESTIMATORS.items(), strict=True):
            points = summary["curves"]["scatter"][name]
            truths = [one["truth"] for one in points] or [0.0, 1.0]
            room = 0.25 * (max(truths) - min(truths)) or 1.0
            low, high = min(0.0, min(truths) - room), max(truths) + room
            panel.plot([low, high], [low, high], color="#9a9a9a", lw=1, zorder=1)
            for learner, look in looks.items():
                for one in points:
                    if one["learner"] != learner:
                        continue
                    estimate = min(max(one["estimate"], low), high)
                    inside = estimate == one["estimate"]
                    panel.plot(
                        one["truth"],
                        estimate,
                        marker=look.marker,
                        color=look.colour,
                        mfc=look.colour if inside else "white",
                        ls="none",
                        ms=4.5,
                        clip_on=False,
                        zorder=3,
                    )
            panel.set_xlim(low, high)
            panel.set_ylim(low, high)
            panel.set_box_aspect(1)
            panel.set_title(TITLES[name], fontsize=9)
            panel.set_xlabel("true reward of a decision" if kind == "decision" else "true return")
        axes[0].set_ylabel("estimate")
        for learner, look in looks.items():
            axes[0].plot([], [], marker=look.marker, color=look.colour, ls="none", label=learner)
        axes[0].plot(
            [], [], marker="o", color="#222222", mfc="white", ls="none", label="open: beyond the axis"
        )
        handles, labels = axes[0].get_legend_handles_labels()
        drawing.legend(handles, labels, loc="outside lower center", ncols=8, fontsize=8)
