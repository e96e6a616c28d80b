"""What `facts` prints, made from its rows alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.terminal import titled_table
from recsim_env.metrics import HEAD_RANKS


class Line(NamedTuple):
    """One line of the table: the fact's name in the rows, what readers call it, how many decimals it has."""

    fact: str
    label: str
    decimals: int


LINES = (
    (
        Line("click_per_impression", "click per impression", 4),
        Line("click_per_step", "steps with a click", 3),
        Line("like_per_click", "like per click", 3),
        Line("cart_per_click", "cart per click", 3),
        Line("purchase_per_click", "purchase per click", 3),
    ),
    (
        Line("session_length_p25", "session length, lower quartile", 0),
        Line("session_length_p50", "  median", 0),
        Line("session_length_p75", "  upper quartile", 0),
        Line("session_length_p99", "  99 of 100 at most", 0),
        Line("session_length_mean", "  mean", 1),
        Line("session_length_is_1", "P(session length = 1)", 3),
        Line("continue_1", "P(continue | depth 1)", 3),
        Line("continue_2", "P(continue | depth 2)", 3),
        Line("continue_5", "P(continue | depth 5)", 3),
        Line("continue_10", "P(continue | depth 10)", 3),
    ),
    (
        Line("head_slope", f"popularity slope, ranks 1 to {HEAD_RANKS}", 2),
        Line("click_gini", "Gini of clicks over clicked items", 2),
    ),
    (
        Line("position_exponent", "click rate by position, exponent", 2),
        Line("examination_exponent", "examination by position, exponent", 2),
    ),
    (
        Line("item_repeat", "clicks on an item clicked before", 3),
        Line("topic_repeat", "clicks on a topic clicked before", 3),
    ),
    (
        Line("return_gap_p25", "return gap, hours, lower quartile", 1),
        Line("return_gap_p50", "  median", 1),
        Line("return_gap_p75", "  upper quartile", 1),
    ),
)


def fact_tables(rows: Sequence[Mapping[str, Any]]) -> RenderableType:
    """The facts of every log side by side, the position curves, and what a reader must know of them.

    Args:
        rows: as `facts` saves them.
    """
    logs = list(dict.fromkeys(row["log"] for row in rows))
    known = {(row["log"], row["fact"]): row for row in rows}
    parts: list[RenderableType] = [_facts(logs, known)]
    with_slates = [log for log in logs if (log, "examination_at_1") in known]
    if with_slates:
        parts.append(_positions(with_slates, known))
    return Group(*parts, Text(notes(rows), style="dim"))


def notes(rows: Sequence[Mapping[str, Any]]) -> str:
    """How to read the tables, in a few lines."""
    lines = [
        "In brackets: 95% Wilson intervals, sessions taken as independent. "
        "A dash: the log does not hold it, or not enough of it.",
        f"Popularity slope and Gini: on the first {rows[0]['popularity_clicks']:,} clicks of each log; "
        "compare only figures of the same number.",
    ]
    simulated = next((row for row in rows if row["policy"] is not None), None)
    if simulated is not None:
        lines.append(
            f"Simulated: {simulated['users']:,} users per scenario, one episode each, served by the "
            f"{simulated['policy']} policy, seed {simulated['seed']}."
        )
    for row in rows:
        if row["fact"] == "malformed_rows":
            lines.append(
                f"{row['log']}: {row['users']:,} users; {row['value']:,} of {row['num_observations']:,} rows "
                "malformed and left out."
            )
    return "\n".join(lines)


def _facts(logs: Sequence[str], known: Mapping[tuple[str, str], Mapping[str, Any]]) -> Table:
    table = titled_table("Stylised facts")
    table.add_column("fact", no_wrap=True)
    for log in logs:
        table.add_column(log, justify="right")
    for section in LINES:
        for line in section:
            cells = [cell(known.get((log, line.fact)), line.decimals) for log in logs]
            if set(cells) != {"-"}:
                table.add_row(line.label, *cells)
        table.add_section()
    return table


def _positions(logs: Sequence[str], known: Mapping[tuple[str, str], Mapping[str, Any]]) -> Table:
    """Click rate relative to position 0, and beside it the examination of the config."""
    table = titled_table("Click rate by position, relative to position 0")
    table.add_column("position")
    for log in logs:
        table.add_column(log, justify="right")
        table.add_column("its examination", justify="right", style="dim")
    last = max(int(fact.removeprefix("examination_at_")) for _, fact in known if "examination_at_" in fact)
    for k in range(1, last + 1):
        pairs = [
            cell(known.get((log, f"{name}_at_{k}")), 2)
            for log in logs
            for name in ("click_rate", "examination")
        ]
        table.add_row(str(k), *pairs)
    return table


def cell(row: Mapping[str, Any] | None, decimals: int) -> str:
    """A number, with its interval in brackets where it has one; a dash where the log does not hold it."""
    if row is None:
        return "-"
    text = f"{row['value']:,.{decimals}f}"
    if row["lower"] is not None:
        text += f" [{row['lower']:.{decimals}f}, {row['upper']:.{decimals}f}]"
    return text
