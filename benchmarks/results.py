"""What a folder of results holds, whatever command made it: the one form that reports are written from."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import UsageError
from benchmarks.rows import KEYS, lookup
from benchmarks.style import display_name
from benchmarks.summary import COMPARED_TO, REFERENCES

ASKED = {
    "compare": "Which agent earns most, how much of the catalog do agents use, and who gets shown?",
    "learning-curve": "How much do learners from logs gain from longer logs of the same logging policy?",
    "narrow-support": "What do importance weights do with a log that hardly holds the best items?",
    "throughput": "How many user-steps a second does the simulator make, and in how much memory?",
    "deploy": "Which policy serves, and what does each way of deciding that cost?",
    "deploy --seeds": "Which arm is best when, and what does each way of deciding who serves lose by drift?",
    "deploy --study": "How often is a release rolled back or promoted wrongly, and what do strategies lose?",
    "ope": "What would other policies have earned, by a log of this one?",
    "headroom": "What does looking ahead earn over the best immediate choice?",
    "ope --study": "How far are off-policy estimates from the truth, and do their intervals hold it?",
}
SKIPPED = ("tasks",)
OVERVIEW = {
    "reward_per_user": ("Reward per user", ".2f"),
    "catalog_coverage": ("Share of the catalog that was shown", ".1%"),
    "tail_share": ("Share of impressions in the long tail", ".1%"),
    "exposure_gini": ("Gini coefficient of exposure", ".2f"),
}
"""Metric -> what the main job's answer calls it, and how it is written."""


@dataclass(frozen=True)
class Section:
    """The results of one command.

    Attributes:
        title: of the section.
        asked: the question.
        findings: {"text", "shown"}: answers, and what was looked for and not found.
        rows: flat dicts of text and numbers with the same keys; missing values are None.
        figures: SVG files.
        folder: where all of it came from.
        about: command line, settings, seeds and provenance, for a reader who wants to run it again.
    """

    title: str
    asked: str
    findings: list[Mapping[str, Any]]
    rows: list[dict[str, Any]]
    figures: list[Path]
    folder: Path
    about: dict[str, Any]


def read_results(folder: Path) -> list[Section]:
    """Every summary in a folder and below it, by path.

    Raises:
        UsageError: there is none, or one cannot be read; names the file.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: expected a folder of results")
    paths = [
        path
        for path in sorted(folder.rglob("summary.json"))
        if not any(part in SKIPPED or part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not paths:
        raise UsageError(
            f"{folder} holds no summary.json: run an experiment first, such as "
            f"`recsim-env compare --out {folder}`"
        )
    return [read_section(path) for path in paths]


def read_section(path: Path) -> Section:
    """One summary as a section.

    Raises:
        UsageError: it is no summary of this command line; names the file.
    """
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
        command, rows = summary["command"], summary["rows"]
        settings, origin = settings_of(summary), summary["provenance"]
        flat = [flattened(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is no summary of results ({error!r}); run its command again") from error
    name = summary.get("experiment", command)
    where = settings.get("scenario", "")
    title = f"{name} · {where.removeprefix('recsim_env/')}" if where else name
    findings = summary.get("findings")
    if findings is None:
        findings = comparison_findings(rows) if command == "compare" else []
    return Section(
        title,
        summary.get("asked", ASKED.get(command, "")),
        findings,
        same_keys(flat),
        sorted(path.parent.glob("*.svg")),
        path.parent,
        {
            "command_line": command_line(summary, settings),
            "settings": {key: value for key, value in settings.items() if key != "world"},
            **({"seeds": summary["seeds"]} if "seeds" in summary else {}),
            "provenance": origin,
        },
    )


def reported_figures(sections: Sequence[Section]) -> dict[str, Any]:
    """The figures of all commands whose rows have the form of `rows.row`, and where they come from.

    Returns:
        {"sources", "rows"}: experiment, command line, settings, seeds and provenance of each section; rows as
        `rows.row` has them.
    """
    sources, rows = [], []
    for section in sections:
        own = [reported_figure(row) for row in section.rows if row.get("experiment")]
        if own:
            sources.append({"experiment": own[0]["experiment"], **section.about})
            rows += own
    return {"sources": sources, "rows": rows}


def reported_figure(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with the keys of `rows.row` alone; of rows with a control, what the control is compared in."""
    if "control" in row:
        against = "per_user" if row["control"] is None else f"minus_{row['control']}"
        row = {**row, "metric": f"reward_{against}", "value": row["mean"]}
    return {key: row[key] for key in KEYS}


def command_line(summary: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """How the command is typed again, but for where results go and how they are computed."""
    given: dict[str, Any] = {"experiment": summary.get("experiment"), "preset": settings.get("preset")}
    if given["experiment"] is None:
        scenario = str(settings.get("scenario", "")).removeprefix("recsim_env/")
        agents = [agent for agent in summary.get("agents", []) if agent not in REFERENCES]
        given |= {"scenario": scenario if "world" in settings else None, "agents": ",".join(agents)}
        given["sizes"] = ",".join(map(str, summary.get("sizes", [])))
    elif len(settings.get("scenarios", [])) == 1:
        given["scenario"] = settings["scenarios"][0]
    if seeds := summary.get("seeds"):
        given |= {"seeds": len(seeds), "first-seed": seeds[0] or None}
    options = [f"--{name} {shlex.quote(str(value))}" for name, value in given.items() if value]
    return " ".join(["recsim-env", summary["command"], *options])


def settings_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What a summary says of its settings: under that name, or beside its rows."""
    settings: dict[str, Any] = summary.get("settings") or {
        key: value for key, value in summary.items() if isinstance(value, str | int | float)
    }
    return settings


def flattened(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without nesting: {"a": {"b": 1}} becomes {"a b": 1}; lists are left out."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, Mapping):
            flat |= {f"{key} {inner}": part for inner, part in flattened(value).items()}
        elif not isinstance(value, list):
            flat[key] = value
    return flat


def same_keys(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """All rows with all keys, in the order in which they first come."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    return [{key: row.get(key) for key in keys} for row in rows]


def comparison_findings(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the main job found: who has most of what was asked about; learners against their references.

    Differences from the logging policy and popular items go by intervals.
    """
    found = lookup(rows)
    findings = [
        {"text": f"{called}: {ranking}.", "shown": True}
        for metric, (called, form) in OVERVIEW.items()
        if (ranking := ranked(rows, metric, form))
    ]
    for agent in dict.fromkeys(row["agent"] for row in rows):
        if agent in REFERENCES:
            continue
        for other in COMPARED_TO:
            row = found.get((agent, f"reward_minus_{other}"))
            if row is None or row["lower"] is None:
                continue
            shown = row["lower"] > 0 or row["upper"] < 0
            direction = "earns more than" if row["value"] > 0 else "earns less than"
            verdict = direction if shown else "is not shown to differ from"
            findings.append(
                {
                    "text": f"{display_name(agent)} {verdict} {display_name(other)}: {row['value']:+.2f} "
                    f"[{row['lower']:+.2f}, {row['upper']:+.2f}] reward per user, paired over "
                    f"{row['seeds']} seeds.",
                    "shown": shown,
                }
            )
    return findings


def ranked(rows: Sequence[Mapping[str, Any]], metric: str, form: str) -> str:
    """All agents by one figure, the highest first, with intervals where there are several seeds."""
    having = sorted((row for row in rows if row["metric"] == metric), key=lambda row: -row["value"])
    return "; ".join(
        f"{display_name(row['agent'])} {row['value']:{form}}"
        + ("" if row["lower"] is None else f" [{row['lower']:{form}}, {row['upper']:{form}}]")
        for row in having
    )
