"""The engines: the same bits from each, retries, and errors that say what to do."""

import contextlib
import errno
import importlib.util
import os
import signal
import threading
import time

import pytest
import typer

from benchmarks import engines
from benchmarks.display import TasksFailedError
from benchmarks.engines import Engine, find_engine, result_on_worker
from benchmarks.errors import UsageError
from benchmarks.tasks import Task, TaskFolder
from benchmarks.terminal import plain_errors
from tests.benchmarks.toy_tasks import Recorder, draws, fail, slow, square, vanish_once

HAS_RAY = importlib.util.find_spec("ray") is not None
DRAWS = [Task(f"draws-{seed}", draws, {"seed": seed}) for seed in range(2)]


@pytest.fixture(scope="module")
def drawn_in_a_process(tmp_path_factory):
    folder = TaskFolder(tmp_path_factory.mktemp("process"), {})
    Engine("process", 1).run(DRAWS, folder, Recorder())
    return [folder.result(task.name) for task in DRAWS]


@pytest.fixture
def ray_engine():
    if not HAS_RAY:
        pytest.skip("ray is not installed")
    return Engine("ray", 2)


def test_serial_gives_the_bits_of_a_process_and_skips_what_is_done(tmp_path, drawn_in_a_process):
    folder, recorder = TaskFolder(tmp_path, {}), Recorder()
    tasks = [*DRAWS, Task("here", square, {"value": 3})]
    Engine("serial").run(tasks, folder, recorder)
    assert [folder.result(task.name) for task in DRAWS] == drawn_in_a_process
    assert folder.result("here")["process"] == os.getpid()
    assert folder.result("here")["threads"] == "1"
    assert ("here", 0.5) in recorder.updates
    again = Recorder()
    Engine("serial").run(tasks, folder, again)
    assert again.started == []


def test_serial_goes_on_after_a_failure(tmp_path):
    folder = TaskFolder(tmp_path, {})
    with pytest.raises(TasksFailedError) as caught:
        Engine("serial").run([Task("bad", fail), Task("good", square, {"value": 3})], folder, Recorder())
    assert "no such luck" in caught.value.failures["bad"]
    assert folder.has("good")


def test_a_task_whose_process_is_lost_is_tried_again(tmp_path):
    folder, recorder = TaskFolder(tmp_path, {}), Recorder()
    Engine("process", 1).run(
        [Task("lost", vanish_once, {"marker": str(tmp_path / "marker")})], folder, recorder
    )
    assert folder.result("lost") == {"tries": 2}
    assert recorder.started == ["lost", "lost"]
    assert recorder.finished == {"lost": None}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # what Ray warns of is its own affair
def test_ray_gives_the_bits_of_a_process_and_outlives_its_workers(tmp_path, ray_engine, drawn_in_a_process):
    folder, recorder = TaskFolder(tmp_path, {}), Recorder()
    once = Task("lost", vanish_once, {"marker": str(tmp_path / "marker")})
    threads = Task("threads", square, {"value": 3})
    with pytest.raises(TasksFailedError) as caught:
        ray_engine.run([*DRAWS, once, threads, Task("bad", fail)], folder, recorder)
    assert [folder.result(task.name) for task in DRAWS] == drawn_in_a_process
    assert folder.result("lost") == {"tries": 2}
    assert folder.result("threads")["threads"] == "1"
    assert folder.result("threads")["process"] != os.getpid()
    assert list(caught.value.failures) == ["bad"]
    assert "no such luck" in caught.value.failures["bad"]


def test_ray_is_not_started_for_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "run_on_ray", None)
    Engine("ray").run([], TaskFolder(tmp_path, {}), Recorder())


def test_a_worker_with_other_code_refuses():
    with pytest.raises(RuntimeError, match="install the same version there"):
        result_on_worker(Task("x", square, {"value": 1}), "", "other")


def test_what_cannot_be_asked_for_is_said(monkeypatch):
    with pytest.raises(UsageError, match="expected one of serial, process, ray, got 'dask'"):
        find_engine("dask", None, None)
    with pytest.raises(UsageError, match="--address is that of a Ray cluster"):
        find_engine("process", 1, "auto")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"recsim_env\[ray\]"):
        find_engine("ray", 1, None)
    assert find_engine("serial", 3, None) == Engine("serial", 3)


def test_a_full_disk_is_reported_by_the_name_of_the_file(capsys):
    with pytest.raises(typer.Exit) as caught, plain_errors():
        raise OSError(errno.ENOSPC, "No space left on device", "results/tasks/x.json")
    assert caught.value.exit_code == 1
    said = capsys.readouterr().err
    assert "results/tasks/x.json cannot be written (No space left on device)" in said
    assert "goes on from them" in said


def test_an_interrupt_of_a_serial_run_keeps_what_is_done(tmp_path):
    folder = TaskFolder(tmp_path, {})
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    began = time.monotonic()
    with contextlib.suppress(KeyboardInterrupt):
        Engine("serial").run(
            [Task("good", square, {"value": 1}), Task("slow", slow, {"seconds": 30})], folder, Recorder()
        )
    timer.cancel()
    assert time.monotonic() - began < 20
    assert folder.has("good")
    assert not folder.has("slow")
