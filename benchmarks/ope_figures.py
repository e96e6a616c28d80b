"""The figures of `recsim-env ope`, drawn from its saved rows alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator, PercentFormatter

from benchmarks.labels import label_right
from benchmarks.style import LOOKS, SPARE, Look, figure

PALETTE = [
    *(LOOKS[name] for name in ("dqn", "sqn", "ips")),
    *SPARE,
    *(LOOKS[n] for n in ("popular", "random")),
]
EXAMPLE = "far"
"""The target policy whose error is drawn against log size."""


def estimator_look(estimator: str, estimators: Sequence[str]) -> Look:
    """Colour, marker and dashes of an estimator, by its place among those drawn."""
    place = list(estimators).index(estimator)
    look = PALETTE[place % len(PALETTE)]
    return look if place < len(PALETTE) else look._replace(dash="solid")


def draw_estimates(rows: Sequence[Mapping[str, Any]], title: str, folder: Path) -> Path:
    """Left: each estimate with its 95% interval. Right: its effective sample size.

    Writes `estimates` as PNG and SVG, returns the PNG's path.

    Args:
        rows: of `recsim-env ope LOG`, at least one.
        title: what was estimated.
        folder: where to.
    """
    questions = list(dict.fromkeys(row["question"] for row in rows))
    counts = [sum(row["question"] == question for row in rows) for question in questions]
    options: Any = {
        "figsize": (8.6, 1.3 + 0.27 * (len(rows) + 2 * len(questions))),
        "nrows": len(questions),
        "ncols": 2,
        "width_ratios": [1.9, 1],
        "height_ratios": [count + 1 for count in counts],
        "squeeze": False,
    }
    with figure(folder, "estimates", **options) as (drawing, panels):
        drawing.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=10)
        for (left, right), question in zip(panels, questions, strict=True):
            _estimates(left, right, [row for row in rows if row["question"] == question])
            left.set_title(question)
            right.set_title("effective sample size")
        panels[-1][0].set_xlabel("value, with 95% interval")
        panels[-1][1].set_xlabel("share of the log's rows or sessions")
    return folder / "estimates.png"


def _estimates(left: Axes, right: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    names = [row["estimator"] for row in rows]
    for place, row in enumerate(rows):
        look = estimator_look(row["estimator"], names)
        if row["value"] is not None:
            left.plot(row["value"], place, color=look.colour, marker=look.marker, ls="none", zorder=5)
        if row["lower"] is not None and row["upper"] is not None:
            left.plot([row["lower"], row["upper"]], [place, place], color=look.colour, lw=1.6)
        if row["effective_share"] is not None:
            right.barh(place, row["effective_share"], height=0.5, color=look.colour, alpha=0.75)
    for key, text, dash in (("logged", "as logged", (0, (1, 1.5))), ("truth", "served", "solid")):
        value = rows[0].get(key)
        if value is not None:
            left.axvline(value, color="#444444", lw=0.9, ls=dash)
            left.annotate(
                text,
                (value, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(2, -8),
                textcoords="offset points",
                fontsize=7.5,
                color="#444444",
            )
    for axes in (left, right):
        axes.set_ylim(len(rows) - 0.4, -1.2)
        axes.grid(axis="y", visible=False)
    left.set_yticks(range(len(rows)), names)
    right.set_yticks([])
    right.set_xlim(0, 1)
    right.xaxis.set_major_formatter(PercentFormatter(1.0))


def draw_study(summary: Mapping[str, Any], folder: Path) -> list[Path]:
    """A figure for each world: error against log size, and against the distance of the target policy.

    Writes PNG and SVG, returns the PNG paths.
    """
    rows = summary["rows"]
    pictures = []
    for scenario in dict.fromkeys(row["scenario"] for row in rows):
        mine = [row for row in rows if row["scenario"] == scenario and row["rmse"]]
        if not mine:
            continue
        slug = "".join(letter for letter in scenario.replace(" ", "-") if letter not in "()")
        pictures.append(_study_world(mine, scenario, f"error_{slug}", folder))
    return pictures


def _study_world(rows: Sequence[Mapping[str, Any]], scenario: str, name: str, folder: Path) -> Path:
    estimators = list(dict.fromkeys(row["estimator"] for row in rows))
    policies = list(dict.fromkeys(row["policy"] for row in rows))
    example = EXAMPLE if EXAMPLE in policies else policies[-1]
    longest = max(row["sessions"] for row in rows)
    of_policy = next(row for row in rows if row["policy"] == example)
    with figure(folder, name, figsize=(10.2, 4.2), ncols=2, sharey=True) as (_, (left, right)):
        labels = []
        for estimator in estimators:
            look = estimator_look(estimator, estimators)
            mine = [row for row in rows if row["estimator"] == estimator]
            style: Any = {"color": look.colour, "ls": look.dash, "marker": look.marker, "ms": 5}
            by_size = [row for row in mine if row["policy"] == example]
            left.plot([row["rows"] for row in by_size], [row["rmse"] for row in by_size], **style)
            by_distance = [row for row in mine if row["sessions"] == longest]
            right.plot(
                [row["distance"] for row in by_distance], [row["rmse"] for row in by_distance], **style
            )
            if by_distance:
                labels.append((by_distance[-1]["rmse"], estimator, look.colour))
        left.set_xscale("log")
        left.set_yscale("log")
        sizes = sorted({row["rows"] for row in rows})
        left.set_xticks(sizes)
        left.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        left.xaxis.set_minor_locator(NullLocator())
        left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
        left.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        left.yaxis.set_minor_formatter(NullFormatter())
        left.set_xlabel(f"decisions in the log\n(policy at distance {of_policy['distance']:.2f})")
        left.set_ylabel("root mean squared error")
        left.set_title(scenario)
        right.set_xlabel(
            "distance of the target policy from the logging policy\n(total variation, a decision)"
        )
        right.set_title(f"logs of {sizes[-1]:,} decisions")
        right.set_xlim(left=0)
        _label_log(right, labels)
    return folder / f"{name}.png"


def _label_log(axes: Axes, labels: list[tuple[float, str, str]]) -> None:
    """`label_right` on a logarithmic axis: where a value is, as a linear axis would have it."""
    low, high = axes.get_ylim()
    share = [np.log(value / low) / np.log(high / low) for value, _, _ in labels]
    linear = [low + part * (high - low) for part in share]
    label_right(axes, [(y, text, colour) for y, (_, text, colour) in zip(linear, labels, strict=True)])
