"""Where tasks run: in this process, in a pool of processes, or on a Ray cluster. The same bits from each.

A task is a pure function of its arguments, so an engine decides only how long it takes. Every engine writes
results whole or not at all, skips what is done, and runs the others when one fails.
"""

from __future__ import annotations

import importlib.util
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.display import Display, TasksFailedError, missing
from benchmarks.errors import UsageError
from benchmarks.provenance import code_hash
from benchmarks.tasks import Task, TaskFolder, run_and_save, stored_result, write_json
from benchmarks.workers import MOST_TRIES, ONE_THREAD, default_jobs, one_thread, run_tasks

ENGINES = ("serial", "process", "ray")


@dataclass(frozen=True)
class Engine:
    """How tasks are run.

    Attributes:
        name: one of `ENGINES`. serial: one after the other in this process, for a debugger. process: a pool
        of
            spawned processes. ray: a Ray cluster, or Ray on this machine.
        jobs: processes, or Ray workers on this machine; on a cluster, tasks at a time come of its own cores.
        address: of a Ray cluster; None starts Ray here, and ends it afterwards.
    """

    name: str = "process"
    jobs: int = 1
    address: str | None = None

    def run(self, tasks: Sequence[Task], folder: TaskFolder, display: Display) -> None:
        """Run the tasks that have no result yet.

        Raises:
            TasksFailedError: after all others are done.
        """
        waiting = missing(tasks, folder)
        if self.name == "serial":
            run_serial(waiting, folder, display)
        elif self.name == "process":
            run_tasks(waiting, folder, self.jobs, display)
        elif waiting:
            run_on_ray(waiting, folder, self.jobs, self.address, display)


def find_engine(name: str, jobs: int | None, address: str | None) -> Engine:
    """The engine that the command line asks for.

    Raises:
        UsageError: there is none of this name, Ray is not installed, an address is given to another engine,
            or processes are counted where they are not ours to count.
    """
    if name not in ENGINES:
        raise UsageError(f"--engine: expected one of {', '.join(ENGINES)}, got {name!r}")
    if address is not None and name != "ray":
        raise UsageError(f"--address is that of a Ray cluster; with --engine {name} there is none")
    if jobs is not None and (name == "serial" or address is not None):
        raise UsageError("--jobs counts processes of this machine; serial has one, and a cluster its own")
    if name == "ray" and importlib.util.find_spec("ray") is None:
        raise UsageError("--engine ray: Ray is not installed. Install it with: pip install 'recsim_env[ray]'")
    return Engine(name, jobs or default_jobs(), address)


def run_serial(tasks: Sequence[Task], folder: TaskFolder, display: Display) -> None:
    """Run tasks one after the other in this process, on one thread of PyTorch as a worker would."""
    failures: dict[str, str] = {}
    with one_thread():
        for task in tasks:
            if "torch" in sys.modules:  # imported before, so that it has not read the environment
                sys.modules["torch"].set_num_threads(1)
            display.start(task.name)
            began, error = time.monotonic(), None
            try:
                report = partial(display.update, task.name)
                run_and_save(task, folder.path(task.name), folder.fingerprint, report)
            except Exception as problem:
                failures[task.name], error = traceback.format_exc(), str(problem)
            display.finish(task.name, time.monotonic() - began, error)
    if failures:
        raise TasksFailedError(failures)


def run_on_ray(
    tasks: Sequence[Task], folder: TaskFolder, jobs: int, address: str | None, display: Display
) -> None:
    """Run tasks as plain Ray tasks of one core and one thread each; results travel here and are written here.

    Ray runs a task again whose worker is lost. The workers need this project's packages, at the same code:
    they refuse to run another.
    """
    import ray

    threads = dict.fromkeys(ONE_THREAD, "1")
    local: dict[str, Any] = {} if address is not None else {"num_cpus": jobs, "include_dashboard": False}
    ray.init(
        address=address or "local",
        runtime_env={"env_vars": threads},
        log_to_driver=False,
        **local,
    )
    failures: dict[str, str] = {}
    try:
        remote = ray.remote(num_cpus=1, max_retries=MOST_TRIES - 1)(result_on_worker)
        slots = max(1, int(ray.cluster_resources().get("CPU", 1)))
        waiting = list(tasks)[::-1]
        busy: dict[Any, tuple[Task, float]] = {}
        while waiting or busy:
            while waiting and len(busy) < slots:
                task = waiting.pop()
                display.start(task.name)
                busy[remote.remote(task, folder.fingerprint, code_hash())] = (task, time.monotonic())
            (ready,), _ = ray.wait(list(busy), num_returns=1)
            task, began = busy.pop(ready)
            error = None
            try:
                write_json(folder.path(task.name), ray.get(ready))
            except ray.exceptions.RayError as problem:
                failures[task.name], error = str(problem), str(problem).strip().splitlines()[-1]
            display.finish(task.name, time.monotonic() - began, error)
    finally:
        ray.shutdown()
    if failures:
        raise TasksFailedError(failures)


def result_on_worker(task: Task, settings_fingerprint: str, code: str) -> dict[str, Any]:
    """What a Ray worker does: run a task, and give back what its file will hold.

    Raises:
        RuntimeError: the worker has another version of the code than the one that asked.
    """
    if code_hash() != code:
        raise RuntimeError(
            f"this worker's code is {code_hash()}, expected {code}: install the same version there"
        )
    return stored_result(task, settings_fingerprint, lambda fraction: None)
