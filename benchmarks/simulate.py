"""`recsim-env simulate`: a logging policy serves users, and their log goes to a folder of Parquet files."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.choices import check_file, find_scenario, one_size
from benchmarks.errors import UsageError
from benchmarks.tasks import check_writable
from benchmarks.throughput_row import peak_bytes
from recsim_env import World, get_scenario
from recsim_env.event_log import LogFolder, simulate
from recsim_env.event_log import Progress as Done

LINE_SECONDS = 10.0
"""Where there is no terminal, a line of progress comes at most so often."""


def run(
    *,
    scenario: str,
    policy: str,
    users: str,
    seed: int,
    steps: int | None,
    hours: str | None,
    partition_users: str,
    probabilities: bool,
    out: Path,
    json_path: Path | None,
    console: Console,
) -> dict[str, Any]:
    """Write what is missing of the log; see the command's help for the arguments. Returns the row printed."""
    from agents import make_logging_policy

    check_file(json_path)
    num_users = one_size("--users", users)
    per_file = one_size("--partition-users", partition_users)
    within = None if hours is None else two_hours("--hours", hours)
    chosen = get_scenario(find_scenario(scenario))
    check_writable(out)
    began, began_cpu = time.perf_counter(), time.process_time()
    with _Display(console, chosen.name, num_users) as display:
        try:
            named = make_logging_policy(policy, World(chosen.config))
            folder = simulate(
                chosen.id,
                named.policy,
                num_users,
                out,
                seed=seed,
                max_steps=steps,
                hours=within,
                partition_users=per_file,
                probabilities=probabilities,
                policy_origin=named.origin,
                progress=display.update,
            )
        except ValueError as error:
            named_here = str(error).startswith(("policy: ", "hours: "))
            raise UsageError(f"--{error}" if named_here else str(error)) from error
        except OSError as error:
            raise UsageError(
                f"cannot write to {out}: {error}. Finished partitions stay, and the same command goes on "
                "behind them"
            ) from error
    row = summary(folder, display, time.perf_counter() - began, time.process_time() - began_cpu)
    console.print(describe(row, out), highlight=False, soft_wrap=True)
    if json_path is not None:
        from benchmarks.saving import write_rows

        write_rows(json_path, "simulate", [{"scenario": chosen.name, "policy": policy, "seed": seed, **row}])
    return row


def two_hours(option: str, text: str) -> tuple[float, float]:
    """Two hours with a colon between them.

    Raises:
        UsageError: they are none.
    """
    start, colon, stop = text.partition(":")
    try:
        found = float(start), float(stop)
    except ValueError:
        colon = ""
    if not colon or not all(map(math.isfinite, found)):
        raise UsageError(f"{option}: expected two hours such as 168:336, got {text!r}")
    return found


def summary(folder: LogFolder, display: _Display, seconds: float, cpu_seconds: float) -> dict[str, Any]:
    """What was written, and how fast; rate and times are those of what this run has made."""
    made = folder.num_rows - display.reused_rows
    rate = made / seconds if made else None
    return {
        "users": folder.num_users,
        "decisions": folder.num_rows,
        "partitions": len(folder.partitions),
        "bytes": sum((folder.path / entry.file).stat().st_size for entry in folder.partitions),
        "users_reused": display.reused,
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu_seconds, 3),
        "decisions_per_second": None if rate is None else round(rate),
        "peak_memory_bytes": peak_bytes(),
    }


def describe(row: dict[str, Any], out: Path) -> str:
    """The row as one or two sentences."""
    files = f"{row['partitions']} file{'' if row['partitions'] == 1 else 's'}"
    text = (
        f"{row['decisions']:,} decisions of {row['users']:,} users in {files}, "
        f"{row['bytes'] / 1e6:,.1f} MB, in {out}."
    )
    if row["decisions_per_second"] is None:
        return f"{text} All of it was there already."
    speed = f"{row['seconds']:.1f} s, {row['decisions_per_second']:,} decisions per second"
    reused = f" {row['users_reused']:,} users were there already." if row["users_reused"] else ""
    return f"{text}{reused} {speed}, at most {row['peak_memory_bytes'] / 2**20:,.0f} MiB of memory."


class _Display:
    """A bar on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console, title: str, num_users: int) -> None:
        self.console, self.title, self.num_users = console, title, num_users
        self.reused = self.reused_rows = 0
        self.last: float | None = None
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[rows]:,} decisions"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task(title, total=num_users, rows=0)

    def __enter__(self) -> _Display:
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def update(self, done: Done) -> None:
        if self.last is None:  # nothing has been made yet
            self.reused, self.reused_rows, self.last = done.reused, done.rows, time.monotonic()
            if done.reused:
                self.console.print(
                    f"{self.title}: {done.reused:,} of {self.num_users:,} users are done already"
                )
        self.bar.update(self.task, completed=done.users, rows=done.rows)
        if not self.console.is_terminal and time.monotonic() - self.last > LINE_SECONDS:
            self.last = time.monotonic()
            self.console.print(
                f"{self.title}: {done.users:,} of {self.num_users:,} users, {done.rows:,} decisions"
            )
