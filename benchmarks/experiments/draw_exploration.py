"""The figures of *exploration*, from its saved summary alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from benchmarks.experiments.dots import cross
from benchmarks.experiments.exploration_learning import BY_DECISION, learning_name
from benchmarks.labels import label_points, label_right
from benchmarks.rows import lookup_row
from benchmarks.style import figure, sweep_looks


def draw(summary: Mapping[str, Any], folder: Path) -> None:
    """For each scenario a figure of noise around one ranking, and one of explorers that learn."""
    for scenario, families in summary["curves"].items():
        draw_noise(summary, scenario, families["noise"], folder)
        draw_learning(summary, scenario, families["learning"], folder)


def draw_noise(summary: Mapping[str, Any], scenario: str, arms: Mapping[str, Any], folder: Path) -> None:
    """Cumulative regret by step, coverage by step, and the frontier."""
    looks = sweep_looks(list(arms))
    with figure(folder, f"exploration_{scenario}", figsize=(12.5, 4.4), ncols=3) as (_, axes):
        for panel, name, label in (
            (axes[0], "cumulative_regret", "regret to the myopic oracle, per user"),
            (axes[1], "coverage", "catalog shown to anyone so far"),
        ):
            draw_curves(panel, {arm: curves[name] for arm, curves in arms.items()}, looks, 1)
            panel.set_xlabel("step of the session (decisions)")
            panel.set_ylabel(label)
        axes[0].set_title(f"Regret · {scenario}")
        axes[1].set_title("Coverage")
        axes[1].yaxis.set_major_formatter(PercentFormatter(1.0))
        draw_frontier(axes[2], summary, scenario, {arm: (arm, look) for arm, look in looks.items()})


def draw_learning(summary: Mapping[str, Any], scenario: str, arms: Mapping[str, Any], folder: Path) -> None:
    """Cumulative regret by decision while learning, and the frontier of the users served meanwhile.

    Users whom an arm pleases stay longer; the curves end where the shortest ends, so that ends compare.
    """
    looks = sweep_looks(list(arms))
    step = summary["curves"][scenario]["curve_step"]
    length = min(len(curves[BY_DECISION]) for curves in arms.values())
    regret = {arm: curves[BY_DECISION][:length] for arm, curves in arms.items()}
    with figure(folder, f"learning_{scenario}", figsize=(9.2, 4.4), ncols=2) as (_, axes):
        draw_curves(axes[0], regret, looks, step)
        axes[0].set_title(f"Regret while learning · {scenario}")
        axes[0].set_xlabel("decisions")
        axes[0].set_ylabel("regret to the myopic oracle, all users")
        for axis in (axes[0].xaxis, axes[0].yaxis):
            axis.set_major_locator(MaxNLocator(5))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        named = {learning_name(arm): (arm, look) for arm, look in looks.items()}
        draw_frontier(axes[1], summary, scenario, named)


def draw_curves(panel: Any, curves: Mapping[str, Any], looks: Mapping[str, Any], step: int) -> None:
    """A line for each arm, named at its end; `step` lies between two values."""
    labels = []
    for arm, values in curves.items():
        look, where = looks[arm], [step * place for place in range(len(values))]
        panel.plot(where, values, color=look.colour, ls=look.dash, marker=look.marker, markevery=0.2, ms=4)
        labels.append((values[-1], arm, look.colour))
    panel.set_xlim(0, step * max(1, max(map(len, curves.values())) - 1))
    panel.set_ylim(bottom=0)
    label_right(panel, labels)


def draw_frontier(
    panel: Any, summary: Mapping[str, Any], scenario: str, arms: Mapping[str, tuple[str, Any]]
) -> None:
    """Tail share against reward, with intervals; arms: name in the rows -> (label, look)."""
    marks = [
        cross(
            panel,
            lookup_row(summary["rows"], scenario, name, "reward_per_user"),
            lookup_row(summary["rows"], scenario, name, "tail_share"),
            look,
            label,
        )
        for name, (label, look) in arms.items()
    ]
    panel.set_xlabel("reward per user")
    panel.set_ylabel("impressions that go to the tail")
    panel.yaxis.set_major_formatter(PercentFormatter(1.0))
    panel.set_title("Tail share against reward")
    panel.margins(x=0.15, y=0.15)
    label_points(panel, marks)
