"""The table of `recsim-env ope LOG`, made from its summary alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from benchmarks.terminal import number, titled_table


def estimate_table(summary: Mapping[str, Any]) -> RenderableType:
    """The estimates with their weights, and below them what they warn of."""
    log, rows = summary["log"], summary["rows"]
    title = (
        f"{summary['policy']}, from {log['rows']:,} decisions of {log['users']:,} users by {log['policy']}"
    )
    table = titled_table(title)
    table.add_column("of a", no_wrap=True)
    table.add_column("estimator", no_wrap=True)
    for heading in ("value", "95% interval", "effective", "largest weight", "top 1%", "warnings"):
        table.add_column(heading, justify="right", no_wrap=True)
    warnings = list(dict.fromkeys(warning for row in rows for warning in row["warnings"]))
    before = None
    for row in rows:
        if before not in (None, row["question"]):
            table.add_section()
        marks = ",".join(str(warnings.index(warning) + 1) for warning in row["warnings"])
        table.add_row(
            "" if before == row["question"] else row["question"],
            row["estimator"],
            number(row["value"], ".4g"),
            "-" if row["lower"] is None else f"[{row['lower']:.4g}, {row['upper']:.4g}]",
            number(row["effective_share"], ".1%"),
            number(row["largest_weight"], ".3g"),
            number(row["top_weight_share"], ".1%"),
            marks,
        )
        before = row["question"]
    logged = "; ".join(
        f"{question} as logged: {next(row['logged'] for row in rows if row['question'] == question):.4g}"
        for question in dict.fromkeys(row["question"] for row in rows)
    )
    lines = [f"{logged}. Effective: sample size, of the log's sessions or rows."]
    served = summary["served"]
    if served is not None:
        lines.append(
            f"Served to {served['users']:,} users of the same world: {served['value']:.4g} a session "
            f"(standard error {served['standard_error']:.2g})."
        )
    parts: list[RenderableType] = [table, Text("\n".join([*lines, *summary["notes"]]), style="dim")]
    parts += [Text(f"! {place}: {warning}") for place, warning in enumerate(warnings, 1)]
    return Group(*parts)
