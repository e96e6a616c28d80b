"""`recsim-env throughput`: user-steps per second and peak memory, beside another simulator's in one run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.choices import check_file
from benchmarks.errors import UsageError
from benchmarks.progress import RunProgress
from benchmarks.provenance import ROOT
from benchmarks.saving import SUMMARY, stamped, write_and_read, write_rows
from benchmarks.tasks import check_writable
from benchmarks.throughput_cases import (
    CATALOGS,
    PEER,
    PEER_BATCH,
    PEER_ITEMS,
    YARDSTICK,
    Case,
    scenario_cases,
)
from benchmarks.throughput_table import throughput_table

ROW = Path(__file__).with_name("throughput_row.py")


def run(
    *,
    catalogs: Sequence[int],
    slates: Sequence[int],
    batches: Sequence[int],
    scenarios: bool,
    repeats: int,
    seconds: float,
    peer_python: Path | None,
    out: Path,
    json_path: Path | None,
    console: Console,
) -> dict[str, Any]:
    """Measure every case `repeats` times, in rounds over all cases; report from the saved measurements."""
    check_writable(out)
    check_file(json_path)
    python = find_peer(peer_python)
    worlds = scenario_cases(max(batches)) if scenarios and max(batches) > 0 else []
    cases = [
        Case("recsim_env", users, items, slate) for slate in slates for items in catalogs for users in batches
    ]
    if python is not None:
        cases += [Case(PEER, users, PEER_ITEMS, slate) for slate in slates for users in (0, PEER_BATCH)]
    else:
        console.print(f"{PEER} is not installed (extra `peers`, or --peer-python): no ratios")
    cases += worlds
    load = os.getloadavg()[0]
    found: dict[Case, list[dict[str, float]]] = {case: [] for case in cases}
    with RunProgress(console, "throughput", 2 + len(cases) * repeats, 0) as display:
        first_step = measure_first_step(display, slates[0])
        for repeat in range(repeats):
            for case in cases:
                found[case].append(
                    _measured(case, f"{case.name}, {repeat + 1}/{repeats}", seconds, python, display)
                )
    summary = stamped(
        "throughput",
        repeats=repeats,
        seconds=seconds,
        first_step_seconds=first_step,
        rows=with_ratios([_row(case, results) for case, results in found.items() if case not in worlds]),
        scenarios=with_share([_row(case, found[case]) for case in worlds]),
    )
    summary["provenance"] = {**summary["provenance"], "load_average_before": load}
    saved = write_and_read(out / SUMMARY, summary)
    console.print(throughput_table(saved))
    if json_path is not None:
        write_rows(json_path, "throughput", saved["rows"] + saved["scenarios"])
    return saved


def find_peer(python: Path | None) -> Path | None:
    """The interpreter that has the peer installed: the one given, or this one; None when this one has not.

    Raises:
        UsageError: the one given cannot import it.
    """
    candidate = Path(sys.executable) if python is None else python
    probe = "import sardine, gymnasium"
    try:
        subprocess.run([candidate, "-c", probe], check=True, capture_output=True, timeout=120)
    except (OSError, subprocess.SubprocessError) as error:
        if python is None:
            return None
        raise UsageError(f"--peer-python: {python} cannot run `{probe}`") from error
    return candidate


def measure_first_step(display: RunProgress, slate_size: int) -> dict[str, float]:
    """Seconds from making the single environment to the end of its first step, uncompiled and cached."""
    seconds = {}
    with tempfile.TemporaryDirectory() as cache:
        for state in ("cold", "warm"):
            case = Case("recsim_env", 0, CATALOGS[0], slate_size)
            result = _measured(
                case, f"first step, {state} cache", 0.1, None, display, {"NUMBA_CACHE_DIR": cache}
            )
            seconds[state] = result["first_step_seconds"]
    return seconds


def _measured(
    case: Case,
    name: str,
    seconds: float,
    peer_python: Path | None,
    display: RunProgress,
    environment: dict[str, str] | None = None,
) -> dict[str, float]:
    """Run one case in a fresh process."""
    python = peer_python if case.simulator == PEER else Path(sys.executable)
    variables = dict(os.environ, **(environment or {}))
    if case.simulator != PEER:
        variables["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    # -P: beside the file are modules that share their name with the standard library's.
    command = [str(python), "-P", str(ROW), json.dumps(case.process_case(seconds))]
    display.start(name)
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env=variables)
    if done.returncode != 0:
        display.finish(name, time.monotonic() - began, "failed")
        raise UsageError(f"{name}: its process failed ({done.returncode})\n{done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    display.finish(name, time.monotonic() - began, None)
    return result


def _row(case: Case, results: Sequence[dict[str, float]]) -> dict[str, Any]:
    rates = np.array([result["rate"] for result in results])
    return {
        **asdict(case),
        "rate": float(np.median(rates)),
        "rate_low": float(rates.min()),
        "rate_high": float(rates.max()),
        "peak_mib": float(np.median([result["peak_mib"] for result in results])),
        "rates": rates.tolist(),
    }


def with_ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add `peer_ratio`: our median over the peer's for the same slate, single to single, batch to batch."""
    peer = {
        (row["slate_size"], row["num_users"] > 0): row["rate"] for row in rows if row["simulator"] == PEER
    }
    for row in rows:
        other = peer.get((row["slate_size"], row["num_users"] > 0))
        row["peer_ratio"] = None if other is None or row["simulator"] == PEER else row["rate"] / other
    return rows


def with_share(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add `yardstick_ratio`: the median rate in units of that of `YARDSTICK`."""
    rates = {row["scenario"]: row["rate"] for row in rows}
    return [{**row, "yardstick_ratio": row["rate"] / rates[YARDSTICK]} for row in rows]
