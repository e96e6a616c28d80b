"""What commands leave in a folder of results: settings, summaries and rows, each with where it comes from."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.provenance import code_settings, hash_files, provenance
from benchmarks.tasks import TaskFolder, write_json
from recsim_env.event_log import replacing

SUMMARY = "summary.json"


def run_settings(command: str, study: Sequence[Path] = (), **settings: Any) -> dict[str, Any]:
    """All that the results of a command depend on, for `TaskFolder`.

    Args:
        command: its name.
        study: files whose code the results depend on beside the simulator and the agents.
        settings: the command's own.
    """
    code = {"study_code": hash_files(study)} if study else {}
    return {"command": command, **settings, **code_settings(), **code}


def stamped(command: str, **found: Any) -> dict[str, Any]:
    """What a command found, beside its name and the provenance."""
    return {"command": command, "provenance": provenance(), **found}


def write_summary(folder: TaskFolder, **found: Any) -> dict[str, Any]:
    """Write `summary.json`: what was found beside command, settings and provenance; returns it as saved."""
    settings = folder.settings
    summary = {"command": settings["command"], "settings": settings, "provenance": provenance(), **found}
    return write_and_read(folder.folder / SUMMARY, summary)


def write_and_read(path: Path, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Write a summary as JSON; returns it as saved, so that reports are made of that alone."""
    write_json(path, summary)
    saved: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return saved


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV, in one move; empty where a row lacks what others have."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def write_rows(path: Path, command: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """What a command printed, as machine-readable rows with their provenance."""
    write_json(path, stamped(command, rows=list(rows)))
