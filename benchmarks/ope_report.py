"""The rows and the table of `recsim-env ope --study`, made from saved results alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from benchmarks.ope_worlds import StudyWorld
from benchmarks.tasks import TaskFolder
from benchmarks.terminal import number, titled_table

NO_SUPPORT = "no support"
Key = tuple[str, str, int, str]
COVERAGE = (0.90, 0.98)
"""What 95% intervals should hold of 500 truths."""
ERRORS = 3.0
ORDERS = {
    "sessions": (("per_decision_is", "trajectory_is"), ("sequential_dr", "per_decision_is")),
    "decisions": (("dr", "ips"), ("mrdr", "ips"), ("mips", "ips")),
    "slates": (("independent_ips", "reward_interaction_ips"), ("reward_interaction_ips", "slate_ips")),
}
"""Kind of world -> (the narrower estimator, the wider one): the order of textbooks. Theory gives the order of
slate estimators where their assumptions hold, and that of DR and IPS for a model that is good enough."""


def study_results(folder: TaskFolder, worlds: Sequence[StudyWorld], parts: int) -> dict[str, Any]:
    """Rows from saved results, and what they show: a finding for each check, shown where all rows hold.

    A row has scenario, policy, estimator, rows (mean number of decisions in a log), sessions, logs, truth,
    truth_se, bias, bias_se (of both means), sd, rmse, coverage (share of logs whose interval holds the
    truth), support (share of the target policy's probability that the logging policy reaches), distance
    (total variation between the policies, a decision), effective (mean effective sample size over that of a
    log of the target policy's own), warned (share of logs whose estimate says that support is missing) and
    unbiased (whether theory says so).
    """
    rows: list[dict[str, Any]] = []
    values: dict[Key, list[float | None]] = {}
    for world in worlds:
        results = [folder.result(f"{world.slug}-logs-{part}")["policies"] for part in range(parts)]
        for policy in world.targets:
            truth = folder.result(f"{world.slug}-truth-{policy}")
            mine = [result[policy] for result in results]
            shared = {
                "scenario": world.name,
                "kind": world.kind,
                "policy": policy,
                "distance": float(np.mean([one["distance"] for one in mine])),
                "truth": truth["value"],
                "truth_se": truth["standard_error"],
            }
            unsupported = [one["unsupported"] for one in mine]
            support = None if None in unsupported else 1 - float(np.mean(unsupported))
            for estimator, by_size in mine[0]["estimates"].items():
                for size in by_size:
                    columns = _joined([one["estimates"][estimator][size] for one in mine])
                    row = study_row(columns, truth["value"], truth["standard_error"])
                    unbiased = estimator in world.unbiased
                    about = {"estimator": estimator, "sessions": int(size), "unbiased": unbiased}
                    values[world.name, policy, int(size), estimator] = columns["value"]
                    rows.append(shared | about | row | {"support": support})
    checks = [*checks_of(rows), *orders_of(rows, values)]
    findings = [
        {"text": check_text(one), "shown": one["hold"] == one["rows"]} for one in checks if one["rows"] > 0
    ]
    return {"findings": findings, "rows": rows, "checks": checks}


def _joined(parts: list[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    return {name: [value for part in parts for value in part[name]] for name in parts[0]}


def study_row(columns: Mapping[str, list[Any]], truth: float, truth_se: float) -> dict[str, Any]:
    """Bias, error and coverage of one estimator over the logs of one size.

    The standard error of the bias counts the logs and the on-policy users: sqrt(sd^2 / logs + truth_se^2).
    Undefined estimates are left out of bias and error, and count as not covering.

    Args:
        columns: value, lower, upper, rows, effective and warned, one entry a log; None where undefined.
        truth, truth_se: the true value, from on-policy users.
    """
    defined = [place for place, value in enumerate(columns["value"]) if value is not None]
    logs, count = len(columns["value"]), len(defined)
    value, lower, upper = (
        np.array([columns[name][place] for place in defined], dtype=np.float64)
        for name in ("value", "lower", "upper")
    )
    sd = float(value.std(ddof=1)) if count > 1 else None
    effective = [one for one in columns["effective"] if one is not None]
    rows = float(np.mean(columns["rows"]))
    return {
        "rows": round(rows),
        "logs": logs,
        "undefined": logs - count,
        "bias": float(value.mean()) - truth if count else None,
        "bias_se": None if sd is None else math.sqrt(sd * sd / count + truth_se * truth_se),
        "sd": sd,
        "rmse": float(np.sqrt(np.mean((value - truth) ** 2))) if count else None,
        "coverage": float(((lower <= truth) & (truth <= upper)).sum()) / logs,
        "effective": float(np.mean(effective)) if effective else None,
        "warned": float(np.mean([NO_SUPPORT in warnings for warnings in columns["warned"]])),
    }


def checks_of(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the rows show of the claims: {"check", "rows", "hold", "worst"}.

    Claims about bias and coverage are made of the estimators that theory calls unbiased, where support holds.
    """
    sound = [row for row in rows if row["unbiased"] and row["support"] is not None and row["support"] == 1]
    errors = [(abs(row["bias"]) / row["bias_se"], row) for row in sound if row["bias_se"]]
    low, high = COVERAGE
    off = [(abs(row["coverage"] - 0.95), row) for row in sound]
    short = [row for row in rows if row["support"] is not None and row["support"] < 1]
    found = [
        _check(
            f"bias within {ERRORS:g} standard errors", [(size, size <= ERRORS, row) for size, row in errors]
        ),
        _check(
            f"coverage of {low:.0%} to {high:.0%}",
            [(size, low <= row["coverage"] <= high, row) for size, row in off],
        ),
        _check(
            "every log without support is reported",
            [(1 - row["warned"], row["warned"] == 1, row) for row in short],
        ),
    ]
    return found


def orders_of(
    rows: Sequence[Mapping[str, Any]], values: Mapping[Key, list[float | None]]
) -> list[dict[str, Any]]:
    """Whether the estimates that should spread less do so, where support holds; as `checks_of`.

    An order fails where the test of equal variances, paired by log, rejects it by more than 3 standard
    errors.

    Args:
        rows: of the study.
        values: (scenario, policy, sessions, estimator) -> the estimate of each log.
    """
    found = []
    for kind, orders in ORDERS.items():
        mine = [row for row in rows if row["kind"] == kind and row["support"] == 1]
        for narrow, wide in orders:
            cases = []
            for row in mine:
                key = row["scenario"], row["policy"], row["sessions"]
                if row["estimator"] == narrow:
                    excess = variance_excess(values[(*key, narrow)], values[(*key, wide)])
                    cases.append((excess, excess <= ERRORS, row))
            found.append(_check(f"{narrow} no wider than {wide}", cases))
    return found


def variance_excess(one: Sequence[float | None], other: Sequence[float | None]) -> float:
    """By how many standard errors `one` spreads more than `other`, paired; negative where it spreads less.

    The correlation r of sum and difference is 0 when variances are equal; r sqrt((n - 2) / (1 - r^2)).

    Source: Morgan (1939), Pitman (1939).
    """
    pairs = np.array([pair for pair in zip(one, other, strict=True) if None not in pair], dtype=np.float64)
    if len(pairs) < 3:
        return 0.0
    x, y = pairs.T
    total, difference = x + y, x - y
    if np.ptp(total) == 0 or np.ptp(difference) == 0:
        return 0.0
    r = float(np.corrcoef(total, difference)[0, 1])
    return r * math.sqrt((len(pairs) - 2) / max(1 - r * r, 1e-300))


def _check(name: str, cases: list[tuple[float, bool, Mapping[str, Any]]]) -> dict[str, Any]:
    worst = max(cases, key=lambda case: case[0], default=None)
    where = None
    if worst is not None:
        keys = ("scenario", "policy", "estimator", "sessions", "bias", "bias_se", "coverage", "sd")
        where = {"measure": worst[0], **{key: worst[2][key] for key in keys}}
    return {"check": name, "rows": len(cases), "hold": sum(case[1] for case in cases), "worst": where}


def study_table(summary: Mapping[str, Any]) -> RenderableType:
    """The longest logs of each world: bias, error and coverage by policy and estimator; then the claims."""
    title = "Off-policy estimates against the truth, longest logs"
    table = titled_table(title)
    for heading in ("scenario", "policy", "estimator"):
        table.add_column(heading, no_wrap=True)
    for heading in ("truth", "bias", "its s.e.", "rmse", "coverage", "support", "distance"):
        table.add_column(heading, justify="right", no_wrap=True)
    rows = summary["rows"]
    longest = {
        name: max(row["sessions"] for row in rows if row["scenario"] == name)
        for name in dict.fromkeys(row["scenario"] for row in rows)
    }
    before: tuple[str, str] | None = None
    for row in rows:
        if row["sessions"] != longest[row["scenario"]]:
            continue
        here = row["scenario"], row["policy"]
        if before is not None and here != before:
            table.add_section()
        first = here != before
        table.add_row(
            row["scenario"] if before is None or before[0] != here[0] else "",
            row["policy"] if first else "",
            row["estimator"],
            f"{row['truth']:.4f}" if first else "",
            number(row["bias"], "+.4f"),
            number(row["bias_se"], ".4f"),
            number(row["rmse"], ".4f"),
            f"{row['coverage']:.1%}",
            number(row["support"], ".1%") if first else "",
            f"{row['distance']:.2f}" if first else "",
        )
        before = here
    lines = [check_text(one) for one in summary["checks"]]
    logs = rows[0]["logs"]
    note = (
        f"{logs} disjoint logs of each size. Bias and coverage are claimed of the estimators that "
        "theory calls unbiased, where support holds, over all sizes:"
    )
    return Group(table, Text(note, style="dim"), Text("\n".join(lines)))


def check_text(check: Mapping[str, Any]) -> str:
    """In how many rows a check holds, and which is the worst."""
    held, worst = f"{check['check']}: {check['hold']} of {check['rows']} rows", check["worst"]
    if worst is None:
        return held
    place = ", ".join(str(worst[key]) for key in ("scenario", "policy", "estimator"))
    return f"{held}; largest: {worst['measure']:.2f} ({place}, {worst['sessions']:,} sessions)"
