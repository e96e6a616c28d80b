"""What experiments have in common: settings, score, plots; run what is missing, report from what is saved."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from benchmarks.choices import check_file
from benchmarks.engines import Engine
from benchmarks.errors import UsageError
from benchmarks.experiments import experiments, serve
from benchmarks.experiments.costs import cost_line
from benchmarks.progress import run_missing
from benchmarks.provenance import code_settings, hash_files, provenance
from benchmarks.statistics import Interval
from benchmarks.tables import findings_table
from benchmarks.tasks import Task, TaskFolder, check_writable, write_json
from recsim_env.checked import nearest

Size = Mapping[str, Any]
"""How large an experiment is, JSON-serialisable; results depend on it, and on the seed."""


class Finding(NamedTuple):
    """One answer that an experiment gives.

    Attributes:
        text: a sentence with its figures and intervals.
        shown: whether the data show it; False for what was looked for and not found.
    """

    text: str
    shown: bool


class Score(NamedTuple):
    """What an experiment found, JSON-serialisable.

    Attributes:
        rows: {"experiment", "scenario", "agent", "metric", "value", "lower", "upper", "seeds"}, see `row`; or
            what the experiment says, from "experiment" on.
        findings: what was found, and what was looked for and not found.
        curves: whatever its figures are drawn from.
    """

    rows: list[dict[str, Any]]
    findings: list[Finding]
    curves: dict[str, Any]


@dataclass(frozen=True)
class Definition:
    """An experiment.

    Attributes:
        name: on the command line.
        asked: the question, one or two sentences.
        sizes: preset -> settings; "num_seeds" is among them.
        tasks: (size, seeds) -> what is to be run; pure functions of their arguments, with names unique in the
        run. score: (results by task name, size, seeds) -> what was found. draw: (summary as saved, folder) ->
        figures, as PNG and SVG. core_seconds: (size, seeds) -> about how long one core takes, for what is
        printed beforehand. with_data: (size, path of a user's own data, folder of the results) -> the size
        for them, whose "data" says what they are and whose "data_file" is where tasks find them (results do
        not depend on that); raises UsageError where they cannot be had. None: no use for any. code: modules
        that results depend on beside those named after the experiment's.
    """

    name: str
    asked: str
    sizes: Mapping[str, Size]
    tasks: Callable[[Size, Sequence[int]], list[Task]]
    score: Callable[[Callable[[str], dict[str, Any]], Size, Sequence[int]], Score]
    draw: Callable[[Mapping[str, Any], Path], None]
    core_seconds: Callable[[Size, Sequence[int]], float]
    with_data: Callable[[Size, Path, Path], Size] | None = None
    code: tuple[ModuleType, ...] = ()


def find_experiment(name: str) -> Definition:
    """The experiment of a name.

    Raises:
        UsageError: there is none; the message names the nearest.
    """
    known = experiments()
    if name not in known:
        raise UsageError(f"unknown experiment {name!r}; {nearest(name, known)}")
    return known[name]


def run_experiment(
    *,
    name: str,
    preset: str,
    num_seeds: int | None,
    first_seed: int,
    out: Path,
    jobs: int | Engine,
    overwrite: bool,
    json_path: Path | None,
    console: Console,
    data: Path | None = None,
    scenario: str | None = None,
) -> dict[str, Any]:
    """Run what is missing, then report; see the command's help for the arguments. Returns the summary."""
    check_file(json_path)
    definition = find_experiment(name)
    size = definition.sizes[preset] if scenario is None else in_one_scenario(definition, preset, scenario)
    if data is not None:
        if definition.with_data is None:
            able = [one.name for one in experiments().values() if one.with_data is not None]
            raise UsageError(f"--data: {name} has no use for data; expected --experiment {', '.join(able)}")
        check_writable(out)
        size = definition.with_data(size, data, out)
    seeds = list(range(first_seed, first_seed + (num_seeds or size["num_seeds"])))
    folder = TaskFolder(out, experiment_settings(definition, preset, size), overwrite)
    tasks = definition.tasks(size, seeds)
    waiting = sum(not folder.has(task.name) for task in tasks)
    if preset == "full" and waiting:
        share = waiting / len(tasks)
        console.print(cost_line(waiting, share * definition.core_seconds(size, seeds), jobs), style="bold")
    run_missing(name, tasks, folder, jobs, console)
    summary = report_experiment(definition, folder, size, seeds)
    console.print(findings_table(summary))
    console.print(f"Rows, figures and settings: {out}", style="bold")
    if json_path is not None:
        kept = {key: summary[key] for key in ("command", "provenance", "rows")}
        write_json(json_path, kept)
    return summary


def in_one_scenario(definition: Definition, preset: str, scenario: str) -> Size:
    """A size with one of its scenarios.

    Raises:
        UsageError: the experiment has one scenario only, or not this one.
    """
    size = definition.sizes[preset]
    known = size.get("scenarios", [])
    name = scenario.removeprefix("recsim_env/")
    if name not in known:
        there = f"expected one of {', '.join(known)}" if known else "the experiment has but one"
        raise UsageError(f"--scenario: {definition.name} with --preset {preset}: {there}, got {scenario!r}")
    return {**size, "scenarios": [name]}


def experiment_settings(definition: Definition, preset: str, size: Size) -> dict[str, Any]:
    """All that results depend on, except which seeds are run; helpers share the name of their experiment."""
    own = Path(inspect.getfile(definition.tasks))
    helpers = sorted(own.parent.glob(f"{own.stem}_*.py"))
    others = [Path(inspect.getfile(module)) for module in (serve, *definition.code)]
    return {
        "command": "compare",
        "experiment": definition.name,
        "preset": preset,
        **{key: value for key, value in size.items() if key not in ("num_seeds", "data_file")},
        "experiment_code": hash_files([own, *helpers, *others]),
        **code_settings(),
    }


def report_experiment(
    definition: Definition, folder: TaskFolder, size: Size, seeds: Sequence[int]
) -> dict[str, Any]:
    """Write `summary.json` and the figures from saved results, and return the summary."""
    score = definition.score(folder.result, size, seeds)
    summary = {
        "command": "compare",
        "experiment": definition.name,
        "asked": definition.asked,
        "settings": folder.settings,
        "provenance": provenance(),
        "seeds": list(seeds),
        "rows": score.rows,
        "findings": [finding._asdict() for finding in score.findings],
        "curves": score.curves,
    }
    path = folder.folder / "summary.json"
    write_json(path, summary)
    saved: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    definition.draw(saved, folder.folder)
    return saved


def written(interval: Interval, digits: int = 2, unit: str = "") -> str:
    """A figure with its interval in brackets."""
    value = f"{interval.mean:,.{digits}f}{unit}"
    if np.isnan(interval.lower):
        return value
    return f"{value} [{interval.lower:,.{digits}f}, {interval.upper:,.{digits}f}]"
