"""Dot plots of reported rows: many lines in a panel per scenario, or two metrics against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib.ticker import MaxNLocator

from benchmarks.labels import Mark
from benchmarks.style import Look, figure


@contextmanager
def panels(
    folder: Path, name: str, titles: Sequence[str], lines: Sequence[tuple[str, str]]
) -> Iterator[Sequence[Any]]:
    """A figure with one panel per title, side by side, that share their lines.

    Args:
        folder, name: of the files.
        titles: of the panels.
        lines: (text, colour) of each line, the lowest first.
    """
    written = 0.062 * max(len(text) for text, _ in lines)  # inches, at font size 8
    size = (0.4 + written + 2.4 * len(titles), 1.3 + 0.21 * len(lines))
    with figure(folder, name, figsize=size, ncols=len(titles), sharey=True, squeeze=False) as (_, axes):
        for panel, title in zip(axes[0], titles, strict=True):
            panel.set_title(title)
            panel.grid(axis="y", visible=False)
            panel.xaxis.set_major_locator(MaxNLocator(4))
        first = axes[0, 0]
        first.set_yticks(range(len(lines)), [text for text, _ in lines], fontsize=8)
        first.set_ylim(-0.6, len(lines) - 0.4)
        yield list(axes[0])
        for tick, (_, colour) in zip(first.get_yticklabels(), lines, strict=True):
            tick.set_color(colour)


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
