"""Rows, claims and table of `recsim-env deploy --study`, made from saved results alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from scipy import stats

from benchmarks.deploy_errors import CASES, CURVE, HARMS
from benchmarks.deploy_users import DESIGNS
from benchmarks.deploy_worlds import WORLDS
from benchmarks.statistics import seed_interval
from benchmarks.tasks import TaskFolder
from recsim_env.deployment import PAPER, STRATEGIES

if TYPE_CHECKING:
    from benchmarks.deploy_study import Preset

ALPHA = 0.01
SIMULATED = "Drift-v0"
COMMAND = "recsim-env deploy --study"
OURS = "sequential test"
ADAPTIVE = [name for name in STRATEGIES if name not in ("naive", "validation", "ab_test")]
DETECTED = [name for name in STRATEGIES if name.startswith(("detected", "page_hinkley"))]
Row = dict[str, Any]


def study_found(folder: TaskFolder, size: Preset) -> dict[str, Any]:
    """Rows (scenario, strategy, metric, value, lower, upper, runs; 95% intervals), claims and findings."""
    from benchmarks.deploy_study import slug, strategies_of

    rows: list[Row] = []
    for case in CASES:
        parts = size.parts if case in ("A/A", "common shock") else 1
        names = [f"release-{slug(case)}-{part}" for part in range(parts)]
        rows += release_rows(case, [folder.result(name) for name in names])
    for world in (*WORLDS, SIMULATED):
        of_strategy = {
            name: f"drift-{name}" if world == SIMULATED else f"regret-{slug(world)}-{name}"
            for name in (STRATEGIES if world == SIMULATED else strategies_of(world))
        }
        rows += regret_rows(world, {name: folder.result(task) for name, task in of_strategy.items()})
    for scenario, designs in DESIGNS.items():
        for place, design in enumerate(designs):
            rows += user_rows(scenario, design, folder.result(f"users-{slug(scenario)}-{place}"))
    claimed = claims(rows)
    findings = [{"text": claim_text(one), "shown": one["holds"]} for one in claimed]
    return {"findings": findings, "claims": claimed, "rows": rows}


def row(
    scenario: str,
    strategy: str,
    metric: str,
    value: float | None,
    runs: int,
    lower: float | None = None,
    upper: float | None = None,
) -> Row:
    """One row, rounded; None where a figure does not exist."""
    numbers = {
        name: None if number is None or not np.isfinite(number) else float(f"{number:.6g}")
        for name, number in (("value", value), ("lower", lower), ("upper", upper))
    }
    return {"scenario": scenario, "strategy": strategy, "metric": metric, **numbers, "runs": runs}


def share_row(scenario: str, strategy: str, metric: str, hits: int, runs: int) -> Row:
    """A share of runs with its interval of Clopper and Pearson (1934)."""
    lower = stats.beta.ppf(0.025, hits, runs - hits + 1) if hits else 0.0
    upper = stats.beta.ppf(0.975, hits + 1, runs - hits) if hits < runs else 1.0
    return row(scenario, strategy, metric, hits / runs, runs, lower, upper)


def median_row(scenario: str, strategy: str, metric: str, values: Sequence[float]) -> Row:
    """A median with the interval of its order statistics; nothing without values."""
    ordered = np.sort(np.asarray(values, np.float64))
    if len(ordered) == 0:
        return row(scenario, strategy, metric, None, 0)
    low, high = stats.binom.ppf([0.025, 0.975], len(ordered), 0.5).astype(int)
    ends = float(ordered[max(low - 1, 0)]), float(ordered[min(high, len(ordered) - 1)])
    return row(scenario, strategy, metric, float(np.median(ordered)), len(ordered), *ends)


def mean_row(scenario: str, strategy: str, metric: str, values: Any) -> Row:
    """A mean over seeds with its interval."""
    found = seed_interval(np.asarray(values, np.float64), np.random.default_rng(0))
    return row(scenario, strategy, metric, found.mean, found.num_seeds, found.lower, found.upper)


def release_rows(case: str, results: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Rollbacks, promotions, alarms, time and exposure of one kind of release."""
    joined = {
        key: [one for result in results for one in result[key]] for key in ("rollback", "promote", "alarm")
    }
    exposure = [one for result in results for one in result["exposure"]]
    runs = len(exposure)
    rows = []
    for kind, word in (("rollback", "rolled back"), ("promote", "promoted"), ("alarm", "alarm raised")):
        hits = sum(one is not None for one in joined[kind])
        rows.append(share_row(case, OURS, word, hits, runs))
    gone = [one for one in joined["rollback"] if one is not None]
    if case not in ("A/A", "common shock", "good release"):
        rows.append(median_row(case, OURS, "requests to rollback", gone))
        rows.append(median_row(case, OURS, "requests served by the release", exposure))
    if case == "good release":
        promoted = [one for one in joined["promote"] if one is not None]
        rows.append(median_row(case, OURS, "requests to promotion", promoted))
    if case in ("A/A", "common shock"):
        for rule in results[0]["others"]:
            hits = sum(sum(result["others"][rule]) for result in results)
            rows.append(share_row(case, rule, "rolled back", hits, runs))
    return rows


def regret_rows(world: str, results: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """Regret, switches and recovery of every strategy in one world."""
    rows = []
    for name, result in results.items():
        regret = np.array(result["regret"])
        total = np.array(result["reward"]) + (regret if world == SIMULATED else 0.0)
        rows.append(mean_row(world, name, "dynamic regret", regret))
        rows.append(mean_row(world, name, "share of the oracle's reward lost", regret / total))
        rows.append(mean_row(world, name, "regret to the best single arm", result["fixed"]))
        rows.append(mean_row(world, name, "switches", result["switches"]))
        if name in DETECTED or "detected" in name:
            rows.append(mean_row(world, name, "restarts", result["detected"]))
        if "changes" in result and max(result["changes"]) > 0:
            switches = np.array(result["switches"]) / np.array(result["changes"])
            rows.append(mean_row(world, name, "switches per true change", switches))
        if world == "sudden swap":
            back = [one for one in result["recovered"] if one is not None]
            rows.append(share_row(world, name, "new best arm gets the majority", len(back), len(regret)))
            rows.append(median_row(world, name, "requests until it has the majority", back))
    first = next(iter(results.values()))
    if "unavoidable" in first:
        rows.append(mean_row(world, "slice and floor alone", "dynamic regret", first["unavoidable"]))
    if world == "per-segment drift":
        single = np.array(first["single"])
        rows.append(mean_row(world, "best single arm of each time", "dynamic regret", single))
        for name, result in results.items():
            recovered = 1 - np.array(result["regret"]) / single
            rows.append(mean_row(world, name, "share of the segment headroom", recovered))
    return rows


def user_rows(scenario: str, design: str, result: Mapping[str, Any]) -> list[Row]:
    """How often a design picks the arm that earns more in the long run, and what both earn."""
    runs = len(result["picked"])
    rows = [share_row(scenario, design, "true winner picked", result["picked"].count(0), runs)]
    if design == next(iter(DESIGNS[scenario])):
        for key, word in (("first", "earned at first, alone"), ("last", "earned at last, alone")):
            for arm, name in enumerate(("true winner", "short-run winner")):
                rows.append(row(scenario, name, word, result[key][arm], 1))
    return rows


def find(rows: Sequence[Row], scenario: str, strategy: str, metric: str) -> Row | None:
    """The row of these names, None where that part of the study is not complete."""
    key = (scenario, strategy, metric)
    return next((one for one in rows if (one["scenario"], one["strategy"], one["metric"]) == key), None)


def claims(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What was to be shown, the figure that decides, and whether it holds; of the rows that are there."""
    found: list[dict[str, Any]] = []

    def value(scenario: str, strategy: str, metric: str, end: str = "value") -> float | None:
        row = find(rows, scenario, strategy, metric)
        return None if row is None else row[end]

    def claim(text: str, figure: float | None, bound: float | None, most: bool) -> None:
        if figure is not None and bound is not None:
            holds = figure <= bound if most else figure >= bound
            found.append({"claim": text, "value": figure, "bound": bound, "at_most": most, "holds": holds})

    upper = value("A/A", OURS, "rolled back", "upper")
    claim("A/A: false rollback, upper end", upper, 0.02, True)
    for rule in ("peeking z-test at 1%", "peeking z-test at 5%", "failure limit of 5"):
        claim(f"A/A: {rule} fails", value("A/A", rule, "rolled back"), 0.2, False)
    for name in (name for name in ADAPTIVE if not name.startswith("segment")):
        lost = value("stationary", name, "share of the oracle's reward lost")
        claim(f"stationary: lost by {name}", lost, 0.02, True)
    for world in ("sudden swap", SIMULATED):
        regret = {name: value(world, name, "dynamic regret") for name in STRATEGIES}
        six = [one for name in PAPER if (one := regret[name]) is not None]
        for name in DETECTED:
            mine = regret[name]
            share = None if mine is None or len(six) < len(PAPER) else mine / min(six)
            claim(f"{world}: regret of {name} over that of the paper's best", share, 0.5, True)
    for world in ("gradual drift", "recurring drift", "per-segment drift"):
        for name in DETECTED:
            switches = value(world, name, "switches per true change")
            claim(f"{world}: switches per true change of {name}", switches, 3.0, True)
    for name in (name for name in STRATEGIES if name.startswith("segment_detected")):
        headroom = value("per-segment drift", name, "share of the segment headroom")
        claim(f"per-segment drift: headroom that {name} recovers", headroom, 0.6, False)
    shock = value("common shock", OURS, "rolled back", "lower")
    claim("common shock: rollback rate, lower end against the upper end in A/A", shock, upper, True)
    claim("common shock: alarm raised", value("common shock", OURS, "alarm raised"), 0.95, False)
    large = value(f"harm to {HARMS['large']:g}", OURS, "rolled back")
    claim("bad release, large harm: rolled back", large, 0.95, False)
    claim("good release: promoted", value("good release", OURS, "promoted"), 0.9, False)
    for case in ("A/A", "bad release"):
        claim(f"{case}: false promotion", value(case, OURS, "promoted"), ALPHA, True)
    for scenario, designs in DESIGNS.items():
        first, *_, last = designs
        wrong = value(scenario, first, "true winner picked")
        claim(f"{scenario}: '{first}' picks the true winner", wrong, 0.5, True)
        right = value(scenario, last, "true winner picked")
        claim(f"{scenario}: '{last}' picks the true winner", right, 0.9, False)
    return found


def claim_text(claim: Mapping[str, Any]) -> str:
    """A claim with its figure and bound."""
    side = "at most" if claim["at_most"] else "at least"
    return f"{claim['claim']}: {claim['value']:.4g} ({side} {claim['bound']:.4g})"


def power_curve(rows: Sequence[Row]) -> list[tuple[float, Row, Row]]:
    """(reward of the release as a share of the control's, rolled back, requests to rollback)."""
    curve = []
    for factor in CURVE:
        case = f"harm to {factor:g}"
        rolled, late = (find(rows, case, OURS, metric) for metric in ("rolled back", "requests to rollback"))
        if rolled is not None and late is not None:
            curve.append((factor, rolled, late))
    return curve


def study_table(summary: Mapping[str, Any]) -> RenderableType:
    """Rows with intervals, and whether what was to be shown holds."""
    table = Table(
        title=COMMAND, title_justify="left", title_style="bold", header_style="bold", box=SIMPLE_HEAD
    )
    for heading in ("scenario", "strategy", "metric"):
        table.add_column(heading, no_wrap=True)
    for heading in ("value", "95% interval", "runs"):
        table.add_column(heading, justify="right", no_wrap=True)
    before = None
    for one in summary["rows"]:
        if before not in (None, one["scenario"]):
            table.add_section()
        ends = "-" if one["lower"] is None else f"[{one['lower']:.4g}, {one['upper']:.4g}]"
        value = "-" if one["value"] is None else f"{one['value']:.4g}"
        name = "" if before == one["scenario"] else one["scenario"]
        table.add_row(name, one["strategy"], one["metric"], value, ends, f"{one['runs']:,}")
        before = one["scenario"]
    lines = [f"{'holds' if one['holds'] else 'FAILS':<6} {claim_text(one)}" for one in summary["claims"]]
    return Group(table, Text("\n".join(lines)))
