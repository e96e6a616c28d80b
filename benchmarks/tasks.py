"""Tasks: pure functions whose results are files, so that a run that was cut resumes where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.errors import UsageError
from benchmarks.provenance import provenance
from recsim_env.event_log import replacing

Report = Callable[[float], None]
"""report(fraction): how much of a task is done, in [0, 1]."""

SETTINGS_FILE = "settings.json"


@dataclass(frozen=True)
class Task:
    """One unit of work.

    Attributes:
        name: unique in its run; the result is the file `tasks/<name>.json`.
        function: importable, called as function(**arguments, report=...); returns what JSON can hold.
            Its result depends on the arguments alone.
        arguments: picklable.
    """

    name: str
    function: Callable[..., dict[str, Any]]
    arguments: Mapping[str, Any] = field(default_factory=dict)


class TaskFolder:
    """The results of the tasks of one run, each written whole or not at all.

    The folder belongs to one set of settings: its `settings.json` says which. Results of other settings are
    never mixed in: opening the folder with them raises.

    Args:
        folder: `settings.json` and `tasks/` are made in it.
        settings: everything that results depend on, JSON-serialisable, except which tasks are run.
        overwrite: drop the results of other settings instead of raising.

    Raises:
        UsageError: the folder cannot be written, or holds results of other settings; names what differs.
    """

    def __init__(self, folder: str | Path, settings: Mapping[str, Any], overwrite: bool = False) -> None:
        self.folder = Path(folder)
        self.tasks = self.folder / "tasks"
        self.settings = json.loads(json.dumps(settings))
        self.fingerprint = fingerprint(self.settings)
        check_writable(self.folder)
        found = self._found_settings()
        if found is not None and found != self.settings:
            if not overwrite:
                raise UsageError(
                    f"{self.folder} holds results of other settings "
                    f"({describe_difference(found, self.settings)}). "
                    "Give another folder with --out, or --overwrite to drop them."
                )
            shutil.rmtree(self.tasks, ignore_errors=True)
        self.tasks.mkdir(parents=True, exist_ok=True)
        for leftover in [*self.folder.glob(".*.partial"), *self.tasks.glob(".*.partial")]:
            leftover.unlink(missing_ok=True)
        write_json(self.folder / SETTINGS_FILE, self.settings)

    def _found_settings(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads((self.folder / SETTINGS_FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise UsageError(f"{self.folder / SETTINGS_FILE} cannot be read ({error})") from error
        return found

    def path(self, name: str) -> Path:
        """Where the result of a task is, or will be."""
        return self.tasks / f"{name}.json"

    def has(self, name: str) -> bool:
        """Whether a task is done."""
        return self.path(name).is_file()

    def result(self, name: str) -> dict[str, Any]:
        """What a finished task returned.

        Raises:
            UsageError: the file is missing, broken, or belongs to other settings.
        """
        try:
            stored = json.loads(self.path(name).read_text(encoding="utf-8"))
            stored["result"], stored["fingerprint"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{self.path(name)} is no result of a task ({error!r}); "
                "delete it, and the same command makes it again"
            ) from error
        if stored["fingerprint"] != self.fingerprint:
            raise UsageError(f"{self.path(name)} belongs to other settings; give --overwrite to drop it")
        result: dict[str, Any] = stored["result"]
        return result


def run_and_save(task: Task, path: Path, settings_fingerprint: str, report: Report) -> None:
    """Run a task and write its result in one move."""
    write_json(path, stored_result(task, settings_fingerprint, report))


def stored_result(task: Task, settings_fingerprint: str, report: Report) -> dict[str, Any]:
    """Run a task: what its file holds, the result and where it comes from."""
    result = task.function(**task.arguments, report=report)
    origin = {"task": task.name, "fingerprint": settings_fingerprint, "provenance": provenance()}
    return {**origin, "result": result}


def fingerprint(settings: Any) -> str:
    """A short hash of JSON-serialisable settings; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def write_json(path: str | Path, value: Any) -> None:
    """Write readable JSON in one move. NaN is refused: a missing value is null.

    Raises:
        OSError: it cannot be written, such as to a full disk; names the file.
    """
    text = json.dumps(value, indent=1, allow_nan=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def check_writable(folder: str | Path) -> None:
    """Make the folder, and raise UsageError when files cannot be written in it."""
    folder = Path(folder)
    probe = folder / f".probe.{os.getpid()}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"cannot write to the folder {folder}: {error.strerror or error}") from error


def describe_difference(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> str:
    """The first few settings that differ, as 'name: old, now new'."""
    parts: list[str] = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            parts.append(describe_difference(before, after, f"{prefix}{key}."))
        else:
            parts.append(f"{prefix}{key}: {_short(before)}, now {_short(after)}")
    return "; ".join(parts[:3]) + ("; ..." if len(parts) > 3 else "")


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
