"""The engines: the same bits from each, retries, and errors that say what to do."""

import contextlib
import errno
import importlib.util
import os
import signal
import sys
import threading
import time
import types

import pytest
import typer

from benchmarks import engines
from benchmarks.display import TasksFailedError
from benchmarks.engines import Engine, find_engine, result_on_worker
from benchmarks.errors import UsageError
from benchmarks.tasks import Task, TaskFolder
from benchmarks.terminal import RESUMES, plain_errors
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


def test_a_task_whose_process_is_lost_is_tried_again_to_the_same_bits(tmp_path, drawn_in_a_process):
    folder, recorder = TaskFolder(tmp_path, {}), Recorder()
    Engine("process", 1).run(
        [Task("lost", vanish_once, {"marker": str(tmp_path / "marker"), "seed": 0})], folder, recorder
    )
    assert folder.result("lost") == drawn_in_a_process[0]
    assert recorder.started == ["lost", "lost"]
    assert recorder.finished == {"lost": None}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # what Ray warns of is its own affair
def test_ray_gives_the_bits_of_a_process_and_outlives_its_workers(tmp_path, ray_engine, drawn_in_a_process):
    folder, recorder = TaskFolder(tmp_path, {}), Recorder()
    once = Task("lost", vanish_once, {"marker": str(tmp_path / "marker"), "seed": 0})
    threads = Task("threads", square, {"value": 3})
    with pytest.raises(TasksFailedError) as caught:
        ray_engine.run([*DRAWS, once, threads, Task("bad", fail)], folder, recorder)
    assert [folder.result(task.name) for task in DRAWS] == drawn_in_a_process
    assert folder.result("lost") == drawn_in_a_process[0]
    assert folder.result("threads")["threads"] == "1"
    assert folder.result("threads")["process"] != os.getpid()
    assert list(caught.value.failures) == ["bad"]
    assert "no such luck" in caught.value.failures["bad"]


class RayStandIn(types.ModuleType):
    """The few calls of Ray that the engine makes, done at once in this process."""

    class exceptions:  # noqa: N801 - as Ray calls it
        class RayError(Exception):
            pass

    def __init__(self):
        super().__init__("ray")
        self.calls, self.most_at_a_time, self.open = [], 0, set()

    def init(self, **options):
        self.calls.append(("init", options))

    def cluster_resources(self):
        return {"CPU": 2.0}

    def remote(self, **options):
        self.calls.append(("remote", options))
        return lambda function: types.SimpleNamespace(remote=lambda *arguments: self.put(function, arguments))

    def put(self, function, arguments):
        self.open.add(arguments[0].name)
        self.most_at_a_time = max(self.most_at_a_time, len(self.open))
        return _Reference(function, arguments)

    def wait(self, references, num_returns):
        return references[:1], references[1:]

    def get(self, reference):
        self.open.pop()
        try:
            return reference.function(*reference.arguments)
        except Exception as error:
            raise self.exceptions.RayError(f"worker said\n{error}") from error

    def shutdown(self):
        self.calls.append(("shutdown", {}))


class _Reference:
    def __init__(self, function, arguments):
        self.function, self.arguments = function, arguments


def test_what_ray_is_asked_for_and_what_is_made_of_its_answers(tmp_path, monkeypatch):
    stand_in = RayStandIn()
    monkeypatch.setitem(sys.modules, "ray", stand_in)
    folder, recorder = TaskFolder(tmp_path, {}), Recorder()
    tasks = [Task("bad", fail), *(Task(f"good-{value}", square, {"value": value}) for value in range(4))]
    with pytest.raises(TasksFailedError) as caught:
        Engine("ray", 2).run(tasks, folder, recorder)
    assert [folder.result(f"good-{value}")["square"] for value in range(4)] == [0, 1, 4, 9]
    assert list(caught.value.failures) == ["bad"]
    assert recorder.finished["bad"] == "no such luck"
    assert stand_in.most_at_a_time == 2
    names = [name for name, _ in stand_in.calls]
    assert names == ["init", "remote", "shutdown"]
    assert stand_in.calls[0][1]["address"] == "local"
    assert stand_in.calls[0][1]["num_cpus"] == 2
    assert stand_in.calls[0][1]["runtime_env"]["env_vars"]["OMP_NUM_THREADS"] == "1"
    assert stand_in.calls[1][1] == {"num_cpus": 1, "max_retries": 2}


def test_a_cluster_is_joined_by_its_address_and_left_when_something_breaks(tmp_path, monkeypatch):
    stand_in = RayStandIn()
    stand_in.wait = lambda references, num_returns: (_ for _ in ()).throw(KeyboardInterrupt)
    monkeypatch.setitem(sys.modules, "ray", stand_in)
    with pytest.raises(KeyboardInterrupt):
        Engine("ray", 2, "ray://head:10001").run(DRAWS, TaskFolder(tmp_path, {}), Recorder())
    assert stand_in.calls[0][1]["address"] == "ray://head:10001"
    assert "num_cpus" not in stand_in.calls[0][1]
    assert stand_in.calls[-1][0] == "shutdown"


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
    with pytest.raises(UsageError, match="--jobs counts processes of this machine"):
        find_engine("serial", 3, None)
    assert find_engine("serial", None, None).name == "serial"


def test_a_full_disk_is_reported_by_the_name_of_the_file(capsys):
    with pytest.raises(typer.Exit) as caught, plain_errors(RESUMES):
        raise OSError(errno.ENOSPC, "No space left on device", "results/tasks/x.json")
    assert caught.value.exit_code == 1
    said = capsys.readouterr().err
    assert "results/tasks/x.json cannot be written (No space left on device)" in said
    assert "goes on from what is finished" in said


@pytest.fixture
def heeded_interrupts():
    """As in a terminal: a shell's background jobs ignore them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded_interrupts")
def test_an_interrupt_of_a_serial_run_keeps_what_is_done(tmp_path):
    folder = TaskFolder(tmp_path, {})

    def interrupt_the_second():
        while not folder.has("good"):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt_the_second, daemon=True).start()
    began = time.monotonic()
    with contextlib.suppress(KeyboardInterrupt):
        Engine("serial").run(
            [Task("good", square, {"value": 1}), Task("slow", slow, {"seconds": 60})], folder, Recorder()
        )
    assert time.monotonic() - began < 50
    assert folder.has("good")
    assert not folder.has("slow")
