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
from typing import Any

from benchmarks.display import Display, TasksFailedError, missing
from benchmarks.tasks import Task, TaskFolder, run_and_save

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Read by PyTorch, NumPy and Numba when they are imported; children inherit them."""
REPORT_SECONDS = 0.2
MOST_TRIES = 3
"""A task whose process is lost (killed, out of memory) is tried so often; one that raises, once."""


def default_jobs() -> int:
    """How many processes this machine's free cores carry."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_tasks(tasks: Sequence[Task], folder: TaskFolder, jobs: int, display: Display) -> None:
    """Run the tasks that have no result yet, in order, on `jobs` spawned processes.

    A task that raises does not stop the others; one whose process is lost is tried again.

    Raises:
        TasksFailedError: after all others are done.
    """
    waiting = missing(tasks, folder)[::-1]
    failures: dict[str, str] = {}
    tries: dict[str, int] = {}
    busy: dict[Connection, _Worker] = {}
    with one_thread():
        try:
            for _ in range(min(jobs, len(waiting))):
                worker = _Worker(folder)
                busy[worker.connection] = worker
                worker.give(waiting.pop(), display)
            while busy:
                for ready in wait(list(busy)):
                    assert isinstance(ready, Connection)
                    worker = busy.pop(ready)
                    if not worker.hear(display):
                        task = worker.task
                        tries[task.name] = tries.get(task.name, 0) + 1
                        if worker.lost and tries[task.name] < MOST_TRIES:
                            waiting.append(task)
                            display.update(task.name, 0.0)
                        else:
                            worker.finish(display, failures)
                        if worker.lost and waiting:
                            worker = _Worker(folder)
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
        self.lost, self.error = False, ""
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

    def hear(self, display: Display) -> bool:
        """Take one message; True while the task goes on."""
        try:
            kind, value = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            code = self.process.exitcode
            self.lost = True
            kind, value = "failed", f"its process ended with exit code {code} (killed, or out of memory?)"
        if kind == "progress":
            display.update(self.task.name, value)
            return True
        self.error = value
        return False

    def finish(self, display: Display, failures: dict[str, str]) -> None:
        """Say how the task ended, once it will not be tried again."""
        if self.error:
            failures[self.task.name] = self.error
        last_line = self.error.strip().splitlines()[-1] if self.error else None
        display.finish(self.task.name, time.monotonic() - self.began, last_line)

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
def one_thread() -> Iterator[None]:
    """One thread in each process that starts meanwhile: as many processes as cores."""
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
