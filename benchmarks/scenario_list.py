"""`recsim-env scenarios`: the worlds there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.choices import check_file
from recsim_env import SCENARIOS, Scenario


def list_scenarios(json_path: Path | None, console: Console) -> list[dict[str, Any]]:
    """Print one line per scenario, and write the same as rows. Returns the rows."""
    check_file(json_path)
    rows = [scenario_row(scenario) for scenario in SCENARIOS.values()]
    console.print(scenario_table(rows))
    if json_path is not None:
        from benchmarks.saving import write_rows

        write_rows(json_path, "scenarios", rows)
    return rows


def scenario_row(scenario: Scenario) -> dict[str, Any]:
    """What tells one world from another at a glance."""
    config = scenario.config
    return {
        "id": scenario.id,
        "name": scenario.name,
        "purpose": scenario.purpose,
        "items": config.catalog.num_items,
        "topics": config.catalog.num_topics,
        "slate": config.slate_size,
        "history": config.history_length,
        "horizon": scenario.max_episode_steps,
        "choice_model": config.choice.model,
    }


def scenario_table(rows: list[dict[str, Any]]) -> Table:
    """The rows for people."""
    table = Table(header_style="bold", box=SIMPLE_HEAD)
    table.add_column("id", no_wrap=True)
    table.add_column("purpose", ratio=1)
    for heading in ("items", "slate", "horizon"):
        table.add_column(heading, justify="right")
    table.add_column("choice model")
    for row in rows:
        sizes = (f"{row[name]:,}" for name in ("items", "slate", "horizon"))
        table.add_row(row["id"], row["purpose"], *sizes, row["choice_model"])
    return table
