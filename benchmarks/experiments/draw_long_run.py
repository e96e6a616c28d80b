"""The figures of *long-run*, from its saved summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.experiments.dots import cross
from benchmarks.experiments.kinds import agent_looks
from benchmarks.experiments.score_long_run import CUTOFF, RANKED, REFERENCES, reward_name, swept
from benchmarks.labels import label_points
from benchmarks.rows import lookup_row
from benchmarks.style import Look, display_name, figure

ACCURACY = f"ndcg@{CUTOFF}"
Rows = Sequence[Mapping[str, Any]]


def draw(summary: Mapping[str, Any], folder: Path) -> None:
    """Reward by gamma and horizon for each scenario; reward against next-item accuracy."""
    rows, settings = summary["rows"], summary["settings"]
    if any("p_corrected" in one for one in rows):
        for scenario in settings["scenarios"]:
            draw_gammas(rows, scenario, settings["gammas"], settings["horizons"], folder)
    draw_accuracy(rows, settings["scenarios"], settings["ranked"], folder)


def draw_gammas(
    rows: Rows, scenario: str, gammas: Sequence[float], horizons: Sequence[int], folder: Path
) -> None:
    """A panel for each horizon: what each gamma earns more than gamma 0 of the same learner."""
    spans = [*horizons, None]
    size = (2.9 * len(spans) + 1.2, 3.7)
    families = swept(gammas)
    looks = agent_looks(list(families))
    with figure(folder, f"long_run_gamma_{scenario}", figsize=size, ncols=len(spans)) as (drawing, axes):
        drawing.suptitle(scenario, fontsize=10, fontweight="bold", x=0.01, ha="left")
        for panel, horizon in zip(axes, spans, strict=True):
            panel.axhline(0, color="#9a9a9a", lw=0.8)
            for family, agents in families.items():
                draw_sweep(panel, rows, scenario, reward_name(horizon), family, agents, looks[family])
            panel.set_xticks(range(1, len(gammas)), [f"{gamma:g}" for gamma in gammas[1:]])
            panel.set_xlim(0.5, len(gammas) - 0.5)
            panel.set_xlabel("gamma")
            panel.set_title("whole session" if horizon is None else f"first {horizon} decisions")
        axes[0].set_ylabel("reward per user, minus that of gamma 0")
        axes[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)


def draw_sweep(
    panel: Any, rows: Rows, scenario: str, metric: str, family: str, agents: Sequence[str], look: Look
) -> None:
    """The points of one learner, beside those of the other."""
    shift = 0.12 if family == "sqn" else -0.12
    found = [lookup_row(rows, scenario, agent, f"{metric}_minus_gamma_0") for agent in agents[1:]]
    places = [place + shift for place in range(1, len(agents))]
    values = [one["value"] for one in found]
    panel.plot(
        places, values, color=look.colour, marker=look.marker, ls=look.dash, lw=1, label=display_name(family)
    )
    for place, one in zip(places, found, strict=True):
        panel.plot([place, place], [one["lower"], one["upper"]], color=look.colour, lw=1.4)


def draw_accuracy(rows: Rows, scenarios: Sequence[str], ranked: Sequence[str], folder: Path) -> None:
    """Reward per user against NDCG on held-out clicks, and how alike the two rank agents."""
    looks = agent_looks(ranked)
    size = (5.2 * len(scenarios), 4.4)
    with figure(folder, "long_run_accuracy", figsize=size, ncols=len(scenarios), squeeze=False) as (_, axes):
        for panel, scenario in zip(axes[0], scenarios, strict=True):
            marks = [
                cross(
                    panel,
                    lookup_row(rows, scenario, agent, ACCURACY),
                    lookup_row(rows, scenario, agent, "reward_per_user"),
                    look,
                    display_name(agent),
                )
                for agent, look in looks.items()
            ]
            beside = ", ".join(
                f"{display_name(name)} {lookup_row(rows, scenario, name, 'reward_per_user')['value']:.2f}"
                for name in REFERENCES
            )
            panel.set_xlabel(f"NDCG@{CUTOFF} of held-out clicks\n(not drawn: {beside} reward per user)")
            panel.set_title(scenario + alike_text(rows, scenario))
            panel.set_ylabel("reward per user")
            panel.margins(0.16)
            label_points(panel, marks)


def alike_text(rows: Rows, scenario: str) -> str:
    """Kendall's tau of the panel, where there is one."""
    name = scenario.removeprefix("recsim_env/")
    found = [
        one
        for one in rows
        if (one["scenario"], one["agent"], one["metric"]) == (name, RANKED, f"kendall_{ACCURACY}")
    ]
    return "".join(f" · Kendall's tau {one['value']:.2f}" for one in found)
