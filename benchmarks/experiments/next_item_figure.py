"""The figure of *next-item*: agents beside each other, on both splits, with what was published."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.ticker import MaxNLocator

from benchmarks.style import display_name, figure

SHOWN = ("click_ndcg@10", "purchase_ndcg@10")
PRINTED = " (published)"


def draw(summary: Mapping[str, Any], folder: Path) -> None:
    """NDCG@10 of clicks and of purchases: agents in rows, splits and the published figures as markers."""
    size, rows = summary["settings"], summary["rows"]
    place = size["scenario"]
    agents = [one["agent"] for one in rows if one["metric"] == f"random_{SHOWN[0]}"]
    agents = [agent for agent in agents if not agent.endswith(PRINTED)]
    known = {(one["agent"], one["metric"]): one for one in rows if one["scenario"] == place}
    height = 1.5 + 0.36 * len(agents)
    with figure(folder, "next_item", figsize=(9.6, height), ncols=2, sharey=True) as (drawing, axes):
        for panel, metric in zip(axes, SHOWN, strict=True):
            for line, agent in enumerate(agents):
                for split, shift in (("random", 0.14), ("temporal", -0.14)):
                    one = known.get((agent, f"{split}_{metric}"))
                    if one is None:
                        continue
                    y, filled = line - shift, split == "random"
                    if one["lower"] is not None:
                        panel.plot([one["lower"], one["upper"]], [y, y], color="#0072b2", lw=1.2)
                    panel.plot(
                        one["value"],
                        y,
                        color="#0072b2",
                        marker="o" if filled else "s",
                        mfc="#0072b2" if filled else "white",
                        ls="none",
                        ms=5.5,
                        label=f"{split} split" if line == 0 else None,
                    )
                printed = known.get((f"{agent}{PRINTED}", f"random_{metric}"))
                if printed is not None:
                    panel.plot(printed["value"], line, color="#222222", marker="x", ls="none", ms=6)
            panel.set_xlabel(f"NDCG@10 of {metric.split('_')[0]}s")
            panel.set_xlim(left=0)
            panel.xaxis.set_major_locator(MaxNLocator(5))
            panel.margins(x=0.08)
        axes[0].set_yticks(range(len(agents)), [display_name(agent) for agent in agents])
        axes[0].invert_yaxis()
        axes[0].set_title(f"Next item · {place}")
        if "data" in size:
            axes[0].plot([], [], color="#222222", marker="x", ls="none", label="published (random split)")
        handles, labels = axes[0].get_legend_handles_labels()
        drawing.legend(handles, labels, loc="outside lower right", ncols=3, fontsize=8)
