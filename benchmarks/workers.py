"""A pool of spawned processes: one torch thread each, progress while they work, and no orphans."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

from benchmarks.tasks import Task, TaskFolder, run_and_save

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Read by PyTorch, NumPy and Numba when they are imported; children inherit them."""
REPORT_SECONDS = 0.2


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


def default_jobs() -> int:
    """How many processes this machine's free cores carry."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_tasks(tasks: Sequence[Task], folder: TaskFolder, jobs: int, display: Display) -> None:
    """Run the tasks that have no result yet, in order, on `jobs` spawned processes.

    A task that raises, or whose process is killed, does not stop the others.

    Raises:
        TasksFailedError: after all others are done.
    """
    waiting = [task for task in tasks if not folder.has(task.name)][::-1]
    failures: dict[str, str] = {}
    busy: dict[Connection, _Worker] = {}
    with _one_thread():
        try:
            for _ in range(min(jobs, len(waiting))):
                worker = _Worker(folder)
                busy[worker.connection] = worker
                worker.give(waiting.pop(), display)
            while busy:
                for ready in wait(list(busy)):
                    assert isinstance(ready, Connection)
                    worker = busy.pop(ready)
                    if not worker.hear(display, failures):
                        if not worker.process.is_alive():
                            worker = _Worker(folder) if waiting else worker
                        if waiting:
                            worker.give(waiting.pop(), display)
                        else:
                            worker.stop()
                            continue
                    busy[worker.connection] = worker
        finally:
            for worker in busy.values():
                worker.stop(kill=True)
    if failures:
        raise TasksFailedError(failures)


class _Worker:
    """The parent's end of one process."""

    def __init__(self, folder: TaskFolder) -> None:
        context = multiprocessing.get_context("spawn")
        self.folder = folder
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, os.getpid()), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, task: Task, display: Display) -> None:
        """Hand over a task."""
        self.task, self.began = task, time.monotonic()
        display.start(task.name)
        with suppress(BrokenPipeError):  # a process that died is noticed by `hear`
            self.connection.send((task, self.folder.path(task.name), self.folder.fingerprint))

    def hear(self, display: Display, failures: dict[str, str]) -> bool:
        """Take one message; True while the task goes on."""
        try:
            kind, value = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            code = self.process.exitcode
            kind, value = "failed", f"its process ended with exit code {code} (killed, or out of memory?)"
        if kind == "progress":
            display.update(self.task.name, value)
            return True
        if kind == "failed":
            failures[self.task.name] = value
        last_line = value.strip().splitlines()[-1] if value else None
        display.finish(self.task.name, time.monotonic() - self.began, last_line)
        return False

    def stop(self, kill: bool = False) -> None:
        """End the process."""
        with suppress(BrokenPipeError):
            self.connection.send(None)
        self.connection.close()
        if kill:
            self.process.kill()
        self.process.join()


def _serve(connection: Connection, parent: int) -> None:
    """The child's loop: take a task, run it, say so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with suppress(EOFError, BrokenPipeError):
        while (order := connection.recv()) is not None:
            task, path, settings_fingerprint = order
            connection.send(_attempt(task, path, settings_fingerprint, connection))


def _attempt(task: Task, path: Path, settings_fingerprint: str, connection: Connection) -> tuple[str, str]:
    last = 0.0

    def report(fraction: float) -> None:
        nonlocal last
        if time.monotonic() - last >= REPORT_SECONDS:
            last = time.monotonic()
            connection.send(("progress", float(fraction)))

    try:
        run_and_save(task, path, settings_fingerprint, report)
    except Exception:
        return "failed", traceback.format_exc()
    return "done", ""


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread in each child: as many processes as cores."""
    before: dict[str, Any] = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
