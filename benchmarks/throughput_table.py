"""The tables of `recsim-env throughput`, made from its summary alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.terminal import titled_table
from benchmarks.throughput_cases import PEER, PEER_BATCH, PEER_ITEMS, YARDSTICK

HEAVIER = {
    "TwoStage-v0": "looks 200 items up at each step, from all over the memory, and writes 100 candidates",
}
"""Why a scenario costs more than twice as much per user as the yardstick."""


def scenario_table(rows: Sequence[dict[str, Any]]) -> Table:
    """The batch of every scenario, beside the yardstick."""
    users = rows[0]["num_users"]
    table = titled_table(f"Every scenario as it is, {users:,} users side by side")
    headings = ("scenario", "items", "slate", "user-steps/s", f"times {YARDSTICK}")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "scenario" else "right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["scenario"],
            f"{row['num_items']:,}",
            str(row["slate_size"]),
            f"{row['rate']:,.0f}",
            f"{row['yardstick_ratio']:.2f}",
        )
    return table


def throughput_table(summary: dict[str, Any]) -> RenderableType:
    """All rows, and what they mean."""
    table = titled_table("Throughput")
    for heading in ("simulator", "users", "items", "slate", "user-steps/s", "lowest .. highest", "peak MiB"):
        table.add_column(heading, justify="left" if heading == "simulator" else "right", no_wrap=True)
    has_peer = any(row["peer_ratio"] is not None for row in summary["rows"])
    if has_peer:
        table.add_column(f"times {PEER}", justify="right")
    for row in summary["rows"]:
        cells = [
            row["simulator"],
            f"{row['num_users']:,}" if row["num_users"] else "single",
            f"{row['num_items']:,}",
            str(row["slate_size"]),
            f"{row['rate']:,.0f}",
            f"{row['rate_low']:,.0f} .. {row['rate_high']:,.0f}",
            f"{row['peak_mib']:,.0f}",
        ]
        ratio = row["peer_ratio"]
        table.add_row(*cells, *(["-" if ratio is None else f"{ratio:,.1f}"] if has_peer else []))
    first = summary["first_step_seconds"]
    note = (
        f"Median of {summary['repeats']} rounds over all rows, each row in a fresh process for "
        f"{summary['seconds']:g} s after a warm-up; random actions drawn beforehand, resets included, "
        "rows that are being reset not counted. Peak memory is that of the whole process.\n"
        f"First step, from making the environment: {first['cold']:.1f} s with nothing compiled, "
        f"{first['warm']:.1f} s afterwards."
    )
    if has_peer:
        note += (
            f"\nRatios: single to single, batch to {PEER_BATCH} of {PEER} in a SyncVectorEnv; "
            f"its catalog always has {PEER_ITEMS:,} items."
        )
    extra = [scenario_table(summary["scenarios"])] if summary["scenarios"] else []
    for row in summary["scenarios"]:
        if row["yardstick_ratio"] < 0.5 and row["scenario"] in HEAVIER:
            note += f"\n{row['scenario']} {HEAVIER[row['scenario']]}."
    return Group(table, *extra, Text(note, style="dim"))
