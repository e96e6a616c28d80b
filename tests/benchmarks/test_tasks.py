import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.display import TasksFailedError
from benchmarks.engines import Engine
from benchmarks.errors import UsageError
from benchmarks.tasks import Task, TaskFolder, check_writable, describe_difference, fingerprint, write_json
from benchmarks.workers import run_tasks
from tests.benchmarks.toy_tasks import Recorder, fail, square, tasks_of, vanish

ROOT = Path(__file__).parents[2]


def test_results_are_saved_and_not_computed_again(tmp_path):
    tasks = [Task(f"square-{value}", square, {"value": value}) for value in range(3)]
    folder, recorder = TaskFolder(tmp_path, {"a": 1}), Recorder()
    run_tasks(tasks, folder, jobs=2, display=recorder)
    assert [folder.result(task.name)["square"] for task in tasks] == [0, 1, 4]
    processes = {folder.result(task.name)["process"] for task in tasks}
    assert os.getpid() not in processes
    assert len(processes) <= 2
    assert folder.result("square-0")["threads"] == "1"
    assert recorder.finished == {"square-0": None, "square-1": None, "square-2": None}
    assert ("square-0", 0.5) in recorder.updates
    again = Recorder()
    run_tasks(tasks, TaskFolder(tmp_path, {"a": 1}), jobs=2, display=again)
    assert again.started == []


def test_a_failure_or_a_lost_process_does_not_stop_the_rest(tmp_path):
    tasks = [Task("bad", fail), Task("lost", vanish), Task("good", square, {"value": 3})]
    folder, recorder = TaskFolder(tmp_path, {}), Recorder()
    with pytest.raises(TasksFailedError, match="finished tasks are kept") as caught:
        run_tasks(tasks, folder, jobs=1, display=recorder)
    assert caught.value.failures.keys() == {"bad", "lost"}
    assert "no such luck" in caught.value.failures["bad"]
    assert "exit code 9" in caught.value.failures["lost"]
    assert folder.result("good")["square"] == 9
    assert not folder.has("bad")


@pytest.mark.parametrize("content", ["{", '{"fingerprint": 1}', "[]"])
def test_a_broken_result_is_named(tmp_path, content):
    folder = TaskFolder(tmp_path, {})
    folder.path("x").write_text(content)
    with pytest.raises(UsageError, match=r"x\.json is no result of a task .*delete it"):
        folder.result("x")


def test_a_broken_result_is_named_before_anything_runs(tmp_path):
    folder, recorder = TaskFolder(tmp_path, {"a": 1}), Recorder()
    folder.path("slow").write_text("{")
    with pytest.raises(UsageError, match=r"slow\.json is no result of a task"):
        Engine("serial").run(tasks_of(2, 0.0), folder, recorder)
    assert recorder.started == []


def test_a_killed_run_leaves_whole_results_no_process_and_resumes(tmp_path):
    command = [sys.executable, "-m", "tests.benchmarks.toy_tasks", str(tmp_path), "60"]
    with subprocess.Popen(command, cwd=ROOT) as process:
        deadline = time.monotonic() + 40
        while not (tmp_path / "tasks" / "quick-1.json").exists():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    saved = sorted(path.name for path in (tmp_path / "tasks").iterdir())
    assert saved == ["quick-0.json", "quick-1.json"]
    worker = json.loads((tmp_path / "tasks" / "quick-1.json").read_text())["result"]["process"]
    deadline = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()
    folder, recorder = TaskFolder(tmp_path, {"a": 1}), Recorder()
    run_tasks(tasks_of(2, 0.0), folder, jobs=1, display=recorder)
    assert recorder.started == ["slow"]
    assert folder.result("quick-1")["process"] == worker


def test_other_settings_are_refused_unless_overwritten(tmp_path):
    folder = TaskFolder(tmp_path, {"scenario": "A", "users": 10})
    write_json(folder.path("x"), {"fingerprint": folder.fingerprint, "result": {}})
    with pytest.raises(UsageError, match=r"other settings \(users: 10, now 20\).*--overwrite"):
        TaskFolder(tmp_path, {"scenario": "A", "users": 20})
    assert folder.has("x")
    fresh = TaskFolder(tmp_path, {"scenario": "A", "users": 20}, overwrite=True)
    assert not fresh.has("x")


def test_a_result_of_other_settings_is_refused(tmp_path):
    folder = TaskFolder(tmp_path, {})
    write_json(folder.path("x"), {"fingerprint": "other", "result": {}})
    with pytest.raises(UsageError, match="belongs to other settings"):
        folder.result("x")


def test_leftovers_of_a_killed_write_are_removed(tmp_path):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / ".x.json.123.partial").write_text("{")
    TaskFolder(tmp_path, {})
    assert list((tmp_path / "tasks").iterdir()) == []


def test_broken_settings_file_is_an_error(tmp_path):
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        TaskFolder(tmp_path, {})


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write to the folder"):
        check_writable(tmp_path / "file")
    with pytest.raises(UsageError, match="cannot write to the folder"):
        check_writable(tmp_path / "file" / "below")


def test_nan_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_names_the_file_and_leaves_what_was_there(tmp_path, monkeypatch):
    write_json(tmp_path / "x.json", {"a": 1})

    def full(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*x\.json'"):
        write_json(tmp_path / "x.json", {"a": 2})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_fingerprint_ignores_the_order_of_keys_only():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


def test_differences_are_named_down_to_the_field():
    old, new = {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 1, "c": 5}, "e": 3}
    assert describe_difference(old, new) == "a.c: 2, now 5; d: 3, now null; e: null, now 3"
