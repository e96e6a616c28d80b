"""Dot plots of reported rows: many lines in a panel per scenario, or two metrics against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib.ticker import MaxNLocator

from benchmarks.labels import Mark
from benchmarks.style import Look, figure

MOST_BESIDE = 5
"""Panels in a row."""


@contextmanager
def panels(
    folder: Path, name: str, titles: Sequence[str], lines: Sequence[tuple[str, str]]
) -> Iterator[Sequence[Any]]:
    """A figure with one panel per title, side by side as far as there is room, that share their lines.

    Args:
        folder, name: of the files.
        titles: of the panels.
        lines: (text, colour) of each line, the lowest first.
    """
    written = 0.062 * max(len(text) for text, _ in lines)  # inches, at font size 8
    nrows = -(-len(titles) // MOST_BESIDE)
    ncols = -(-len(titles) // nrows)
    size = (0.4 + written + 2.4 * ncols, (1.3 + 0.21 * len(lines)) * nrows)
    grid = {"figsize": size, "nrows": nrows, "ncols": ncols, "sharey": True, "squeeze": False}
    with figure(folder, name, **grid) as (_, axes):
        used = list(axes.flat[: len(titles)])
        for panel, title in zip(used, titles, strict=True):
            panel.set_title(title)
            panel.grid(axis="y", visible=False)
            panel.xaxis.set_major_locator(MaxNLocator(4))
        for panel in axes.flat[len(titles) :]:
            panel.set_visible(False)
        axes[0, 0].set_yticks(range(len(lines)), [text for text, _ in lines], fontsize=8)
        axes[0, 0].set_ylim(-0.6, len(lines) - 0.4)
        yield used
        for panel in axes[:, 0]:
            for tick, (_, colour) in zip(panel.get_yticklabels(), lines, strict=True):
                tick.set_color(colour)
                tick.set_fontsize(8)


def dot(panel: Any, line: float, row: Mapping[str, Any], look: Look, filled: bool = True) -> None:
    """A figure with its interval on a line of a panel; hollow unless filled."""
    if row["lower"] is not None:
        panel.plot([row["lower"], row["upper"]], [line, line], color=look.colour, lw=1.3, zorder=4)
    inside = look.colour if filled else "#ffffff"
    panel.plot(
        row["value"], line, color=look.colour, marker=look.marker, mfc=inside, ls="none", ms=5, zorder=5
    )


def cross(panel: Any, across: Mapping[str, Any], up: Mapping[str, Any], look: Look, text: str) -> Mark:
    """A point with intervals in both directions; returns what `label_points` needs."""
    spans = [
        (one["value"],) * 2 if one["lower"] is None else (one["lower"], one["upper"]) for one in (across, up)
    ]
    x, y = across["value"], up["value"]
    panel.plot(x, y, color=look.colour, marker=look.marker, ls="none", ms=6, zorder=5)
    panel.plot(spans[0], [y] * 2, color=look.colour, lw=1)
    panel.plot([x] * 2, spans[1], color=look.colour, lw=1)
    return Mark(x, y, spans[0], spans[1], text, look.colour)
