"""`recsim-env report FOLDER`: saved results as one page that needs nothing else, and as Markdown."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from rich.console import Console

from benchmarks.choices import check_file
from benchmarks.results import Section, read_results, reported_figures
from benchmarks.svg import colour_rules, colours, inline_svg
from benchmarks.tasks import check_writable, write_json
from recsim_env.event_log import replacing

PAGE, TEXT = "report.html", "report.md"
MANY_ROWS = 400
"""Longer tables are there to be opened."""


def report(folder: Path, out: Path | None, json_path: Path | None, console: Console) -> list[Path]:
    """Write the page and the summary of a folder of results; returns where they are.

    Args:
        folder: searched for `summary.json` files and the figures beside them.
        out: where to write; the folder itself by default.
        json_path: the figures of all comparisons as rows; not written where it is None.
        console: told what was written.

    Raises:
        UsageError: there are no results, one is broken, or nothing can be written.
    """
    check_file(json_path)
    sections = read_results(folder)
    target = out or folder
    check_writable(target)
    written = [target / PAGE, target / TEXT]
    for path, text in zip(written, (make_page(sections), make_text(sections)), strict=True):
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    console.print(f"{len(sections)} results: {written[0]}, {written[1]}", style="bold")
    if json_path is not None:
        found = reported_figures(sections)
        write_json(json_path, {"command": "report", **found})
        console.print(
            f"{len(found['rows'])} rows of {len(found['sources'])} comparisons: {json_path}", style="bold"
        )
    return written


def make_page(sections: Sequence[Section]) -> str:
    """The page, complete in itself: style, script, tables and figures are inside, and nothing is loaded."""
    figures = [path.read_text(encoding="utf-8") for section in sections for path in section.figures]
    used = set().union(*map(colours, figures))
    links = "".join(
        f'<li><a href="#s{place}">{html.escape(section.title)}</a></li>'
        for place, section in enumerate(sections)
    )
    return Template(_part("report.html")).substitute(
        style=_part("report.css") + colour_rules(used),
        script=_part("report.js"),
        contents=links,
        sections="\n".join(section_html(section, place) for place, section in enumerate(sections)),
    )


def section_html(section: Section, place: int) -> str:
    """One section of the page: question, findings, figures, table, and how it was made."""
    title = html.escape(section.title)
    figures = "".join(
        f"<figure>{inline_svg(path, f'f{place}-{number}', html.escape(figure_label(path, section)))}"
        f"<figcaption>{html.escape(figure_label(path, section))}</figcaption></figure>"
        for number, path in enumerate(section.figures)
    )
    about = html.escape(json.dumps(section.about, indent=1))
    return (
        f'<section id="s{place}" aria-labelledby="h{place}"><h2 id="h{place}">{title}</h2>'
        f'<p class="asked">{html.escape(section.asked)}</p>'
        f"{findings_html(section.findings)}{figures}{table_html(section, place)}"
        f"<details><summary>How it was made</summary><pre>{about}</pre></details></section>"
    )


def findings_html(findings: Sequence[Mapping[str, Any]]) -> str:
    """What was found, and what was looked for and not found."""
    parts = []
    for heading, shown in (("Found", True), ("Not found", False)):
        texts = [html.escape(finding["text"]) for finding in findings if finding["shown"] == shown]
        if texts:
            parts.append(f"<h3>{heading}</h3><ul>{''.join(f'<li>{text}</li>' for text in texts)}</ul>")
    return "".join(parts)


def table_html(section: Section, place: int) -> str:
    """The rows, with a button in every heading that sorts by it."""
    rows = section.rows
    if not rows:
        return ""
    heads = "".join(
        f'<th scope="col"><button type="button">{html.escape(key.replace("_", " "))}</button></th>'
        for key in rows[0]
    )
    body = "".join(f"<tr>{''.join(map(cell_html, row.values()))}</tr>" for row in rows)
    opened = " open" if len(rows) <= MANY_ROWS else ""
    return (
        f"<details{opened}><summary>{counted(rows, 'row')}</summary>"
        f'<div class="scroll" tabindex="0" role="region" aria-labelledby="h{place}">'
        f"<table><caption>Click a heading to sort.</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div></details>"
    )


def counted(things: Sequence[Any], name: str) -> str:
    """How many there are, in words: 1 row, 2 rows."""
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def cell_html(value: Any) -> str:
    """A cell; numbers carry their exact value for sorting, missing values none."""
    if value is None:
        return "<td>–</td>"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"<td>{html.escape(str(value))}</td>"
    return f'<td class="number" data-value="{value!r}">{html.escape(number_text(value))}</td>'


def number_text(value: float) -> str:
    """A number as a reader wants it: thousands separated, four digits that matter."""
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) >= 1000 else f"{value:.4g}"


def figure_label(path: Path, section: Section) -> str:
    """What a figure is called, by its file."""
    return f"{path.stem.replace('_', ' ').capitalize()} ({section.title})"


def make_text(sections: Sequence[Section]) -> str:
    """The summary in Markdown: what was asked, found with which uncertainty, and not found."""
    parts = ["# Results\n"]
    for section in sections:
        parts.append(f"\n## {section.title}\n")
        if section.asked:
            parts.append(f"\nAsked: {section.asked}\n")
        for heading, shown in (("Found", True), ("Not found", False)):
            texts = [finding["text"] for finding in section.findings if finding["shown"] == shown]
            if texts:
                parts.append(f"\n{heading}:\n\n" + "".join(f"- {text}\n" for text in texts))
        held = f"{counted(section.rows, 'row')} and {counted(section.figures, 'figure')}"
        parts.append(f"\n{held}: `{section.folder}`, by `{section.about['command_line']}`. ")
        origin = section.about["provenance"]
        parts.append(f"Commit {origin.get('commit')}, stream version {origin.get('stream_version')}.\n")
    return "".join(parts)


def _part(name: str) -> str:
    return (resources.files("benchmarks") / "page" / name).read_text(encoding="utf-8")
