"""Names beside curves and points, placed so that none covers another or the data."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes


def spread(positions: list[float], gap: float, low: float, high: float) -> list[float]:
    """Move label positions apart until neighbours are at least `gap` apart, keeping their order.

    Neighbours that are too close form a block around their common mean, and blocks that touch merge: the
    least squares solution under the order (pool adjacent violators, Ayer et al. 1955).

    Args:
        positions: any order, data units.
        gap: least distance.
        low, high: the block is kept inside where it fits.
    """
    order = sorted(range(len(positions)), key=positions.__getitem__)
    blocks: list[list[float]] = []  # [sum of shifted positions, count]
    for rank, index in enumerate(order):
        blocks.append([positions[index] - rank * gap, 1.0])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += count
    shifted = [total / count for total, count in blocks for _ in range(int(count))]
    top = high - gap * (len(positions) - 1)
    placed = [max(low, min(value, max(top, low))) + rank * gap for rank, value in enumerate(shifted)]
    result = [0.0] * len(positions)
    for rank, index in enumerate(order):
        result[index] = placed[rank]
    return result


def label_right(
    axes: Axes, labels: list[tuple[float, str, str]], x: float = 1.02, points: float = 11.0
) -> None:
    """Write labels to the right of the axes at their y positions, moved apart so that none overlap.

    Args:
        axes: with its final y limits; a thin line joins a moved label to its value.
        labels: (y in data units, text, colour).
        x: left edge of the text, in axes coordinates.
        points: height of one line of text.
    """
    axes.figure.canvas.draw()
    low, high = axes.get_ylim()
    height = axes.get_window_extent().height * 72 / axes.figure.dpi
    relative = [(y - low) / (high - low) for y, _, _ in labels]
    placed = spread(relative, points / height, 0.0, 1.0)
    for (_, text, colour), start, end in zip(labels, relative, placed, strict=True):
        axes.annotate(
            text,
            xy=(1.0, start),
            xytext=(x, end),
            xycoords="axes fraction",
            textcoords="axes fraction",
            color=colour,
            va="center",
            fontsize=8,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.5, "shrinkA": 1, "shrinkB": 0},
        )


class Mark(NamedTuple):
    """A labelled point with its interval in both directions, data units.

    Attributes:
        x, y: the point.
        x_range, y_range: ends of its intervals; the point itself where there is none.
        text, colour: of the label.
    """

    x: float
    y: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    text: str
    colour: str


DIRECTIONS = [(float(np.cos(angle)), float(np.sin(angle))) for angle in np.arange(16) * np.pi / 8]
DISTANCES = (8, 14, 20, 26, 34, 42, 52, 64)
"""Points (1/72 inch) from the mark's centre to the label's nearest edge, tried in this order."""


def label_points(axes: Axes, marks: list[Mark], size: float = 8.0) -> None:
    """Write each mark's text at the nearest free place around it; a thin line joins it where it is far off.

    Free means inside the axes and clear of all markers, intervals and labels placed before. Crowded marks
    come first, since they have the fewest places.

    Args:
        axes: with final limits.
        marks: what to label.
        size: font size in points.
    """
    axes.figure.canvas.draw()
    unit = axes.figure.dpi / 72
    frame = axes.get_window_extent()
    to_points = lambda x, y: axes.transData.transform((x, y)) / unit  # noqa: E731
    centre = [to_points(mark.x, mark.y) for mark in marks]
    taken = []
    for mark, (x, y) in zip(marks, centre, strict=True):
        left, right = (to_points(end, mark.y)[0] for end in mark.x_range)
        low, high = (to_points(mark.x, end)[1] for end in mark.y_range)
        taken += [(x - 5, y - 5, x + 5, y + 5), (left, y - 2, right, y + 2), (x - 2, low, x + 2, high)]
    bounds = (frame.x0 / unit, frame.y0 / unit, frame.x1 / unit, frame.y1 / unit)
    nearest = [min((np.hypot(*(a - b)) for b in centre if b is not a), default=0.0) for a in centre]
    for index in np.argsort(nearest):
        mark, (x, y) = marks[index], centre[index]
        half_width, half_height = _half_size(axes, mark.text, size)
        best, cost = None, np.inf
        for distance in DISTANCES:
            for across, up in DIRECTIONS:
                cx, cy = x + across * (distance + half_width), y + up * (distance + half_height)
                box = (cx - half_width, cy - half_height, cx + half_width, cy + half_height)
                trouble = sum(_overlap(box, other) for other in taken) + 10 * _outside(box, bounds)
                if trouble < cost:
                    best, cost = (cx, cy, box, distance), trouble
            if cost == 0:
                break
        assert best is not None
        cx, cy, box, distance = best
        taken.append(box)
        axes.annotate(
            mark.text,
            xy=(mark.x, mark.y),
            xytext=(cx - x, cy - y),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=size,
            color=mark.colour,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": mark.colour, "lw": 0.5, "shrinkA": 2, "shrinkB": 4}
            if distance > DISTANCES[1]
            else None,
        )


def _half_size(axes: Axes, text: str, size: float) -> tuple[float, float]:
    """Half the width and height of a text with some air around it, in points."""
    probe = axes.text(0, 0, text, fontsize=size)
    extent = probe.get_window_extent()
    probe.remove()
    unit = axes.figure.dpi / 72
    return extent.width / unit / 2 + 1.5, extent.height / unit / 2 + 0.5


Box = tuple[float, float, float, float]


def _overlap(a: Box, b: Box) -> float:
    """Common area of two boxes (left, bottom, right, top)."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


def _outside(box: Box, frame: Box) -> float:
    """How far a box reaches out of the frame."""
    return sum(max(0.0, frame[i] - box[i]) + max(0.0, box[i + 2] - frame[i + 2]) for i in (0, 1))
