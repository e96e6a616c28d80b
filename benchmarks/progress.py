"""Progress of a run: bars on a terminal, one line per finished task elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from benchmarks.engines import Engine
from benchmarks.tasks import Task, TaskFolder


class RunProgress:
    """Shows how far `run_tasks` has come; a context manager.

    Args:
        console: where to write; bars when it is a terminal, plain lines when not.
        title: what is running.
        num_tasks: how many tasks the run has in all.
        num_done: how many of them were done before.
    """

    def __init__(self, console: Console, title: str, num_tasks: int, num_done: int) -> None:
        self.console = console
        self.num_tasks, self.num_done = num_tasks, num_done
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.total = self.bars.add_task(title, total=num_tasks, completed=num_done)
        self.rows: dict[str, TaskID] = {}
        self.fractions: dict[str, float] = {}
        if num_done:
            console.print(
                f"{title}: {num_done} of {num_tasks} tasks are done already, {num_tasks - num_done} to go"
            )

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()

    def start(self, name: str) -> None:
        """A task begins."""
        if name not in self.rows:  # a task whose process was lost starts again
            self.rows[name] = self.bars.add_task(f"  {name}", total=1.0)

    def update(self, name: str, fraction: float) -> None:
        """A task has got so far."""
        self.fractions[name] = fraction
        self.bars.update(self.rows[name], completed=fraction)
        self.bars.update(self.total, completed=self.num_done + sum(self.fractions.values()))

    def finish(self, name: str, seconds: float, error: str | None) -> None:
        """A task is done, or has failed."""
        self.num_done += 1
        self.fractions.pop(name, None)
        self.bars.remove_task(self.rows.pop(name))
        self.bars.update(self.total, completed=self.num_done + sum(self.fractions.values()))
        outcome = f"{seconds:.1f} s" if error is None else f"failed: {error}"
        self.console.print(
            f"[{self.num_done}/{self.num_tasks}] {name}: {outcome}", markup=False, highlight=False
        )


def run_missing(
    command: str, tasks: Sequence[Task], folder: TaskFolder, jobs: int | Engine, console: Console
) -> None:
    """Run the tasks that a folder has no result of, with progress; see `benchmarks.engines`.

    Args:
        command: what is running, in words.
        tasks, folder: as in `run_tasks`.
        jobs: an engine, or how many processes of this machine.
        console: where progress is shown.
    """
    engine = jobs if isinstance(jobs, Engine) else Engine(jobs=jobs)
    done = sum(folder.has(task.name) for task in tasks)
    with RunProgress(console, command, len(tasks), done) as display:
        engine.run(tasks, folder, display)
