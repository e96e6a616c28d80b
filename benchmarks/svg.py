"""A saved figure as part of a page: its colours follow the page's scheme, its ids are its own."""

from __future__ import annotations

import colorsys
import re
from pathlib import Path

from benchmarks.errors import UsageError

HEX = re.compile(r"#[0-9a-fA-F]{6}\b")
REFERENCE = re.compile(r'(\bid="|href="#|url\(#)([^")]+)')
LIGHTEST = 0.62
"""Least lightness of a saturated colour on a dark page."""
DARK_PAPER = "#191d22"


def inline_svg(path: Path, prefix: str, label: str) -> str:
    """The figure as an `svg` element.

    Colours become the variables of `colour_rules`; ids get a prefix, so that figures do not take each other's
    parts.

    Args:
        path: an SVG file that Matplotlib wrote.
        prefix: unique in the page.
        label: what the figure shows, in plain words; escaped by the caller.

    Raises:
        UsageError: the file is no figure, or has a script in it.
    """
    text = path.read_text(encoding="utf-8")
    found = re.search(r"<svg\b.*</svg>", text, re.DOTALL)
    if found is None or re.search(r"<script|\son\w+\s*=|javascript:|<foreignObject", text, re.IGNORECASE):
        raise UsageError(f"{path}: expected a figure that this command line drew; run the experiment again")
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", found[0], flags=re.DOTALL)
    body = REFERENCE.sub(lambda match: f"{match[1]}{prefix}-{match[2]}", body)
    body = HEX.sub(lambda match: f"var({variable(match[0])})", body)
    head = re.match(r"<svg\b[^>]*>", body)
    assert head is not None
    box = re.search(r'viewBox="([^"]+)"', head[0])
    if box is None:
        raise UsageError(f"{path}: expected an SVG with a viewBox")
    width = float(box[1].split()[2])
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'aria-label="{label}" viewBox="{box[1]}" style="max-width:{width:.0f}pt">'
    )
    return opening + body[head.end() :]


def colours(svg: str) -> set[str]:
    """The colours of a figure as it was saved, in lower case."""
    return {found.lower() for found in HEX.findall(svg)}


def colour_rules(used: set[str]) -> str:
    """Style rules that give the colours their values, light and dark."""
    light = "".join(f"{variable(colour)}:{colour};" for colour in sorted(used))
    dark = "".join(f"{variable(colour)}:{on_dark(colour)};" for colour in sorted(used))
    return f":root{{{light}}}\n@media (prefers-color-scheme: dark){{:root{{{dark}}}}}"


def variable(colour: str) -> str:
    """The name of the variable that holds a colour."""
    return f"--c-{colour[1:].lower()}"


def on_dark(colour: str) -> str:
    """A colour of a figure on a dark page: greys are inverted, others keep their hue, light enough."""
    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    hue, light, saturation = colorsys.rgb_to_hls(red, green, blue)
    if light == 1.0:
        return DARK_PAPER
    light = 1 - light * 0.87 if saturation < 0.12 else max(light, LIGHTEST)
    return "#" + "".join(f"{round(255 * part):02x}" for part in colorsys.hls_to_rgb(hue, light, saturation))
