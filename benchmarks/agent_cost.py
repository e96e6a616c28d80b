"""`recsim-env agent-cost`: how fast agents act and learn, and in how much memory, by catalog size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.agent_cost_row import config_of
from benchmarks.choices import check_file, why_unable
from benchmarks.display import TasksFailedError
from benchmarks.errors import UsageError
from benchmarks.progress import RunProgress
from benchmarks.provenance import ROOT, provenance
from benchmarks.tasks import write_json
from benchmarks.workers import ONE_THREAD

NUM_USERS = 4_096
LOG_DECISIONS = 20_000
KILLED = "killed, for want of memory?"
KINDS = {"act": "actions per second", "train": "training samples per second"}


def agent_cost(
    agents: str | None,
    catalogs: Sequence[int],
    seconds: float,
    json_path: Path | None,
    console: Console,
) -> dict[str, Any]:
    """Measure every case in a process of its own, print the tables; returns what ``--json`` writes.

    A row has kind, agent, num_items, rate, peak_mib, base_mib and failure. Where its process was killed, for
    want of memory as a rule, or ended with an error, failure says so, and the three figures are null.

    Raises:
        UsageError: of arguments, before anything runs.
        TasksFailedError: processes failed; all the others are measured, printed and written.
    """
    check_file(json_path)
    cases = find_cases(agents, catalogs)
    load, rows = os.getloadavg()[0], []
    with RunProgress(console, "agent-cost", len(cases), 0) as display:
        for case in cases:
            rows.append({**case, **_measured({**case, "seconds": seconds}, display)})
    summary = {
        "command": "agent-cost",
        "provenance": {**provenance(), "load_average_before": load},
        "num_users": NUM_USERS,
        "log_decisions": LOG_DECISIONS,
        "seconds": seconds,
        "rows": rows,
    }
    console.print(cost_tables(summary))
    if json_path is not None:
        write_json(json_path, summary)
    failures = {_name(row): row["failure"] for row in rows if row["failure"] not in (None, KILLED)}
    if failures:
        raise TasksFailedError(failures)
    return summary


def find_cases(agents: str | None, catalogs: Sequence[int]) -> list[dict[str, Any]]:
    """Who acts and who trains, at each size of the catalog.

    Without names: everyone in the registry who acts without the hidden state, and the encoders that the
    first learner from logs can have. An agent is left out at sizes that it refuses.

    Raises:
        UsageError: an unknown agent or field; or a named agent that refuses all these sizes.
    """
    from agents import AGENTS, AgentSpec, split_specs
    from agents.learning.offline import OfflineAgent

    names = split_specs(agents) if agents is not None else [*AGENTS, *encoder_specs()]
    try:
        specs = [AgentSpec.parse(name) for name in names]
    except ValueError as error:
        raise UsageError(str(error)) from error
    seeing = [spec for spec in specs if not getattr(AGENTS[spec.name], "needs_state", False)]
    learning = [spec for spec in seeing if issubclass(AGENTS[spec.name], OfflineAgent)]
    configs = {size: config_of(size) for size in catalogs}
    for spec in seeing:
        refusals = [why_unable(spec.name, config) for config in configs.values()]
        if agents is not None and all(refusals):
            raise UsageError(str(refusals[0]))
    return [
        {"kind": kind, "agent": spec.text, "num_items": size}
        for kind, chosen in (("act", seeing), ("train", learning))
        for spec in chosen
        for size, config in configs.items()
        if why_unable(spec.name, config) is None
    ]


def encoder_specs() -> list[str]:
    """The first learner from logs that has a choice of encoders, with each of them but its default."""
    from agents import AGENTS, encoders
    from agents.learning.offline import OfflineAgent

    known: Any = encoders
    for name, kind in AGENTS.items():
        if issubclass(kind, OfflineAgent) and "encoder" in {spec.name for spec in fields(kind.config_class)}:
            usual: Any = kind.config_class()
            return [f"{name}:encoder={other}" for other in known.ENCODERS if other != usual.encoder]
    return []


def _name(case: Mapping[str, Any]) -> str:
    return f"{case['agent']}, {KINDS[case['kind']]}, {case['num_items']:,} items"


def _measured(case: dict[str, Any], display: RunProgress) -> dict[str, Any]:
    """Run one case in a fresh process of one thread per library."""
    name = _name(case)
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {**os.environ, **dict.fromkeys(ONE_THREAD, "1"), "PYTHONPATH": os.pathsep.join(paths)}
    order = {**case, "num_users": NUM_USERS, "log_decisions": LOG_DECISIONS}
    command = [sys.executable, "-m", "benchmarks.agent_cost_row", json.dumps(order)]
    display.start(name)
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env=variables)
    failure = None
    if done.returncode != 0:
        error = f"its process failed ({done.returncode})\n{done.stderr[-2000:]}"
        failure = KILLED if done.returncode < 0 else error
    display.finish(name, time.monotonic() - began, failure and failure.partition("\n")[0])
    if failure is not None:
        return {"rate": None, "peak_mib": None, "base_mib": None, "failure": failure}
    return {**json.loads(done.stdout.splitlines()[-1]), "failure": None}


def cost_tables(summary: Mapping[str, Any]) -> RenderableType:
    """Acting and training, each with a column per catalog size: rate and peak memory."""
    note = (
        f"Acting: {summary['num_users']:,} users at a time. One process of one thread per cell, "
        f"{summary['seconds']:g} s after a warm-up. In brackets: peak memory of\nthe process in MiB; world "
        f"and log of {summary['log_decisions']:,} decisions included. One-minute load average before: "
        f"{summary['provenance']['load_average_before']:.1f}."
    )
    measured = [kind for kind in KINDS if any(row["kind"] == kind for row in summary["rows"])]
    return Group(*(_table(summary["rows"], kind) for kind in measured), Text(note, style="dim"))


def _table(rows: Sequence[Mapping[str, Any]], kind: str) -> Table:
    table = Table(
        title=KINDS[kind].capitalize(),
        title_justify="left",
        title_style="bold",
        header_style="bold",
        box=SIMPLE_HEAD,
    )
    chosen = {(row["agent"], row["num_items"]): row for row in rows if row["kind"] == kind}
    sizes = sorted({size for _, size in chosen})
    table.add_column("agent")
    for size in sizes:
        table.add_column(f"{size:,} items", justify="right", no_wrap=True)
    for agent in dict.fromkeys(agent for agent, _ in chosen):
        cells = []
        for size in sizes:
            row = chosen.get((agent, size))
            if row is None:
                cells.append("refused")
            elif row["failure"] is None:
                cells.append(f"{row['rate']:,.0f} [{row['peak_mib']:,.0f}]")
            else:
                cells.append("out of memory" if row["failure"] == KILLED else "failed")
        table.add_row(agent, *cells)
    return table
