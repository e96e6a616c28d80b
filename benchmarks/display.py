"""What engines and those who watch them agree on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from benchmarks.tasks import Task, TaskFolder


class Display(Protocol):
    """What watches a run; see `benchmarks.progress`."""

    def start(self, name: str) -> None:
        """A task begins."""

    def update(self, name: str, fraction: float) -> None:
        """A task has got so far."""

    def finish(self, name: str, seconds: float, error: str | None) -> None:
        """A task is done, or has failed with this message."""


class TasksFailedError(Exception):
    """Some tasks failed; the others are saved.

    Attributes:
        failures: task name -> traceback or reason.
    """

    def __init__(self, failures: dict[str, str]) -> None:
        self.failures = failures
        name, reason = next(iter(failures.items()))
        others = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        super().__init__(f"task {name}{others} failed; finished tasks are kept.\n{reason}")


def missing(tasks: Sequence[Task], folder: TaskFolder) -> list[Task]:
    """The tasks that have no result yet, in order.

    Raises:
        UsageError: a result is broken or belongs to other settings; nothing has been run for nothing then.
    """
    done = {task.name for task in tasks if folder.has(task.name)}
    for name in sorted(done):
        folder.result(name)
    return [task for task in tasks if task.name not in done]
