"""What `compare` and `learning-curve` print, made from saved rows alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.rows import lookup
from benchmarks.statistics import interval_method
from benchmarks.style import display_name
from benchmarks.summary import CEILING, FLOOR
from benchmarks.terminal import titled_table


class Column(NamedTuple):
    """Heading, metric in the rows, how a number is written, its unit, and whether the interval is shown."""

    heading: str
    metric: str
    write: Callable[[float], str]
    unit: str = ""
    interval: bool = True


WIDE = 124
"""Characters per line from which on a mean and its interval stand side by side."""


def _decimals(digits: int) -> Callable[[float], str]:
    return lambda value: f"{value:,.{digits}f}"


def _signed(value: float) -> str:
    return f"{value:+.2f}"


def _percent(value: float) -> str:
    return f"{100 * value:.0f}"


REWARD_COLUMNS = (
    Column("reward per user", "reward_per_user", _decimals(2)),
    Column("gap closed", "gap_share", _percent, " %"),
    Column("minus logging policy", "reward_minus_logging", _signed),
    Column("minus popular", "reward_minus_popular", _signed),
    Column("session", "session_length", _decimals(1), interval=False),
)

CATALOG_COLUMNS = (
    Column("coverage", "catalog_coverage", _percent, " %"),
    Column("entropy, nats", "action_entropy", _decimals(2)),
    Column("new topics", "new_topics_per_user", _decimals(2), interval=False),
    Column("exposure Gini", "exposure_gini", _decimals(2)),
    Column("tail share", "tail_share", _percent, " %"),
    Column("popularity", "average_popularity", _decimals(2), interval=False),
)


def comparison_tables(summary: Mapping[str, Any], width: int = WIDE) -> RenderableType:
    """Both tables of a comparison and what a reader must know of them.

    Args:
        summary: as `compare` saves it.
        width: characters per line; below `WIDE`, intervals go below their means.
    """
    between = " " if width >= WIDE else "\n"
    rows = lookup(summary["rows"])
    agents = sorted(summary["agents"], key=lambda agent: -rows[agent, "reward_per_user"]["value"])
    settings = summary["settings"]
    scenario = settings["scenario"]
    return Group(
        _table(f"Reward on held-out users of {scenario}", REWARD_COLUMNS, agents, rows, between),
        _table("Exploration and exposure", CATALOG_COLUMNS, agents, rows, between),
        Text(notes(summary), style="dim"),
    )


def findings_table(summary: Mapping[str, Any]) -> RenderableType:
    """What an experiment asked, found, and looked for without finding it.

    Args:
        summary: as `benchmarks.experiments.frame` saves it.
    """
    table = titled_table(summary["experiment"].capitalize())
    table.add_column("")
    table.add_column(summary["asked"])
    for finding in summary["findings"]:
        table.add_row("found" if finding["shown"] else "not found", finding["text"])
    return table


def notes(summary: Mapping[str, Any]) -> str:
    """How to read the tables, in a few lines."""
    settings, seeds = summary["settings"], summary["seeds"]
    return (
        f"{_count(len(seeds), 'training seed')}; each has its own log, initialisation and "
        f"{settings['eval_users']:,} held-out users; all agents meet the same users with the same luck.\n"
        f"In brackets: {interval_name(len(seeds))}. "
        f"Gap: {display_name(FLOOR)} is 0 %, the {display_name(CEILING)} 100 %. "
        "Differences are paired by seed.\n"
        f"Learners from logs had {settings['log_decisions']:,} decisions of the logging policy, "
        f"online learners {settings['online_decisions']:,} of their own.\n"
        "Popularity: mean base popularity of what was shown, 1 for showing all items equally. "
        "Tail: the items outside the head that draws 80 % of base popularity."
    )


def interval_name(num_seeds: int) -> str:
    """What the intervals over so many seeds are, in words."""
    names = {
        "bootstrap": "95 % bootstrap interval over seeds",
        "t": "95 % t interval over seeds (too few seeds for a bootstrap)",
        "none": "nothing, since one seed has no interval",
    }
    return names[interval_method(num_seeds)]


def _table(title: str, columns: Sequence[Column], agents: Sequence[str], rows: Any, between: str) -> Table:
    table = titled_table(title)
    table.add_column("agent")
    for column in columns:
        table.add_column(column.heading, justify="right")
    for agent in agents:
        cells = (cell(rows.get((agent, column.metric)), column, between) for column in columns)
        table.add_row(display_name(agent), *cells)
    return table


def cell(row: Mapping[str, Any] | None, column: Column, between: str = " ") -> str:
    """A number, with its interval in brackets where it has one; a dash where the metric makes no sense."""
    if row is None:
        return "-"
    text = column.write(row["value"]) + column.unit
    if column.interval and row["lower"] is not None:
        text += f"{between}[{column.write(row['lower'])}, {column.write(row['upper'])}]"
    return text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
