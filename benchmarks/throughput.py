"""`recsim-env throughput`: user-steps per second and peak memory, beside another simulator's in one run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.choices import check_file
from benchmarks.compare import write_rows
from benchmarks.errors import UsageError
from benchmarks.progress import RunProgress
from benchmarks.provenance import ROOT, provenance
from benchmarks.tasks import check_writable, write_json
from recsim_env import SCENARIOS, get_scenario

CATALOGS = (1_000, 10_000, 100_000, 1_000_000)
SLATES = (1, 10)
BATCHES = (0, 1, 64, 1_024, 16_384)
"""Users side by side; 0 is the single environment."""

SIZED = "Storefront-v0"
"""The world that is measured at every size."""
YARDSTICK = "StorefrontSlate-v0"
"""What every scenario as it is is compared with."""
HEAVIER = {
    "TwoStage-v0": "looks 200 items up at each step, from all over the memory, and writes 100 candidates",
}
"""Why a scenario costs more than twice as much per user as the yardstick."""

PEER = "SARDINE"
PEER_IDS = {1: "sardine/SingleItem-BoredInf-v0", 10: "sardine/SlateTopK-BoredInf-v0"}
PEER_BATCH = 32
PEER_ITEMS = 1_000
ROW = Path(__file__).with_name("throughput_row.py")


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        simulator: "recsim_env" or the peer's name.
        num_users: users side by side; 0 is the single environment.
        num_items, slate_size: of its world.
        scenario: its world; Storefront with other sizes, or any other as it is.
    """

    simulator: str
    num_users: int
    num_items: int
    slate_size: int
    scenario: str = SIZED

    @property
    def name(self) -> str:
        """For progress and messages."""
        users = f"{self.num_users:,} users" if self.num_users else "single"
        world = f", {self.scenario}" if self.scenario != SIZED else ""
        return f"{self.simulator}{world}, {users}, {self.num_items:,} items, slate {self.slate_size}"

    def process_case(self, seconds: float) -> dict[str, Any]:
        """What `throughput_row` measures."""
        kind = "batch" if self.num_users else "single"
        common: dict[str, Any] = {"kind": kind, "num_users": self.num_users, "seconds": seconds, "seed": 0}
        if self.simulator == PEER:
            options: dict[str, Any] = {"vectorization_mode": "sync"} if self.num_users else {}
            return {**common, "id": PEER_IDS[self.slate_size], "imports": ["sardine"], "options": options}
        sizes = {"catalog": {"num_items": self.num_items}, "slate_size": self.slate_size}
        options = sizes if self.scenario == SIZED else {}
        return {
            **common,
            "id": get_scenario(self.scenario).id,
            "imports": ["recsim_env"],
            "options": options,
        }


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
    summary = {
        "command": "throughput",
        "provenance": {**provenance(), "load_average_before": load},
        "repeats": repeats,
        "seconds": seconds,
        "first_step_seconds": first_step,
        "rows": with_ratios([_row(case, results) for case, results in found.items() if case not in worlds]),
        "scenarios": with_share([_row(case, found[case]) for case in worlds]),
    }
    write_json(out / "summary.json", summary)
    saved: dict[str, Any] = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    console.print(throughput_table(saved))
    if json_path is not None:
        write_rows(json_path, "throughput", saved["rows"] + saved["scenarios"])
    return saved


def scenario_cases(num_users: int) -> list[Case]:
    """One batch of every scenario as it is, the yardstick first."""
    names = [YARDSTICK, *(name for name in SCENARIOS if name != YARDSTICK)]
    configs = {name: get_scenario(name).config for name in names}
    return [
        Case("recsim_env", num_users, config.catalog.num_items, config.slate_size, name)
        for name, config in configs.items()
    ]


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


def scenario_table(rows: Sequence[dict[str, Any]]) -> Table:
    """The batch of every scenario, beside the yardstick."""
    users = rows[0]["num_users"]
    table = Table(
        title=f"Every scenario as it is, {users:,} users side by side",
        title_justify="left",
        title_style="bold",
        header_style="bold",
        box=SIMPLE_HEAD,
    )
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
    table = Table(
        title="Throughput", title_justify="left", title_style="bold", header_style="bold", box=SIMPLE_HEAD
    )
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
