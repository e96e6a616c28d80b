"""`recsim-env ope`: a policy on a log, and the study of the estimators."""

from __future__ import annotations

import io
import json
from collections import Counter

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from agents import LoggingPolicy, Popular, RandomPolicy
from benchmarks import ope_study
from benchmarks.cli import app
from benchmarks.ope_report import checks_of, orders_of, study_row, variance_excess
from benchmarks.ope_study import estimates_of_logs, sizes_of, true_value
from benchmarks.ope_worlds import LOGGING, STUDY, StudyWorld, study_world
from benchmarks.results import read_results
from recsim_env import World, get_scenario
from recsim_env.event_log import collect_log

TINY = World(get_scenario("Tiny-v0").config)
SILENT = {"report": lambda fraction: None}


def invoke(*arguments):
    options = {"COLUMNS": "200", "TERM": "dumb"}
    return CliRunner().invoke(app, ["ope", *(str(one) for one in arguments)], env=options)


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    collect_log("recsim_env/Tiny-v0", LoggingPolicy(TINY.public_catalog), 3_000, seed=0).save(folder / "soft")
    collect_log("recsim_env/Tiny-v0", Popular(TINY.public_catalog), 600, seed=0).save(folder / "certain")
    slates = World(get_scenario("StorefrontSlate-v0").config.replace(catalog={"num_items": 12}, slate_size=3))
    log = collect_log(slates, LoggingPolicy(slates.public_catalog, 3), 300, seed=0, max_steps=1)
    log.save(folder / "slates")
    RandomPolicy(6).save(folder / "agent")
    return folder


def test_a_policy_is_evaluated_in_many_ways(logs, tmp_path):
    options = (
        "--logging",
        "logging",
        "--served",
        "4000",
        "--out",
        tmp_path,
        "--json",
        tmp_path / "rows.json",
    )
    result = invoke(logs / "soft", "--policy", "logging:epsilon=0.5", *options)
    assert result.exit_code == 0, result.output
    assert "Served to 4,000 users" in result.output
    saved = json.loads((tmp_path / "rows.json").read_text())
    assert saved == json.loads((tmp_path / "summary.json").read_text())
    questions = Counter(row["question"] for row in saved["rows"])
    assert questions == {"return of a session": 8, "reward of a decision": 10}
    served = saved["served"]
    for row in saved["rows"]:
        assert row["unsupported"] == 0
        if row["estimator"] in ("per_decision_is", "sequential_dr"):
            error = np.hypot(row["standard_error"], served["standard_error"])
            assert abs(row["value"] - row["truth"]) < 4 * error
    assert (tmp_path / "estimates.png").stat().st_size > 1_000
    assert (tmp_path / "estimates.svg").is_file()


def test_a_log_without_chance_is_reported_by_every_estimator(logs, tmp_path):
    result = invoke(logs / "certain", "--policy", logs / "agent", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "the logging policy was deterministic" in result.output
    for row in json.loads((tmp_path / "summary.json").read_text())["rows"]:
        assert row["unsupported"] == pytest.approx(5 / 6)
        assert row["warnings"]


def test_missing_support_of_topics_is_reported_by_mips(logs, tmp_path):
    """The ranking shows one topic; a uniform policy has the topics of all other items too."""
    arguments = ("--logging", "popular", "--estimators", "mips", "--out", tmp_path)
    result = invoke(logs / "certain", "--policy", logs / "agent", *arguments)
    assert result.exit_code == 0, result.output
    (row,) = json.loads((tmp_path / "summary.json").read_text())["rows"]
    assert 0 < row["unsupported"] < 1
    assert any("no support" in warning for warning in row["warnings"])


def test_slates(logs, tmp_path):
    arguments = (logs / "slates", "--policy", "random", "--out", tmp_path)
    assert "need --logging" in invoke(*arguments).output
    result = invoke(*arguments, "--logging", "logging", "--estimators", "independent_ips,slate_ips")
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "summary.json").read_text())["rows"]
    assert [row["estimator"] for row in rows] == ["slate_ips", "independent_ips"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "expected a LOG and --policy, or --study"),
        (("{logs}/soft",), "expected a LOG and --policy, or --study"),
        (("{logs}/none", "--policy", "random"), "is not a file"),
        (("{logs}/soft", "--policy", "rando"), "did you mean 'random'"),
        (("{logs}/soft", "--policy", "random:epsilon=1"), "unknown setting 'epsilon'; expected none"),
        (("{logs}/soft", "--policy", "logging:epsilom=1"), "unknown setting 'epsilom'"),
        (("{logs}/soft", "--policy", "logging:epsilon=x"), "expected a number, got 'x'"),
        (("{logs}/soft", "--policy", "logging:epsilon=2"), "expected in [0, 1]"),
        (("{logs}/soft", "--policy", "random", "--logging", "random"), "another policy made the log"),
        (("{logs}/soft", "--policy", "random", "--estimators", "sips"), "unknown estimator 'sips'"),
        (("{logs}/soft", "--policy", "random", "--estimators", "slate_ips"), "cannot be had from this log"),
        (("{logs}/soft", "--study"), "makes its own logs"),
    ],
)
def test_mistakes_are_one_clear_error(arguments, message, logs, tmp_path):
    result = invoke(*(one.format(logs=logs) for one in arguments), "--out", tmp_path / "out")
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "out" / "summary.json").exists()


def test_a_row_of_the_study_by_hand():
    columns = {
        "value": [1.0, 3.0, None],
        "lower": [0.5, 2.5, None],
        "upper": [1.5, 3.5, None],
        "rows": [10, 12, 11],
        "effective": [5.0, 7.0, 6.0],
        "warned": [["no support"], [], ["a few weights dominate", "no support"]],
    }
    row = study_row(columns, truth=1.25, truth_se=0.5)
    assert row["bias"] == pytest.approx(0.75)
    assert row["bias_se"] == pytest.approx(np.sqrt(2 / 2 + 0.25))
    assert row["rmse"] == pytest.approx(np.sqrt((0.25**2 + 1.75**2) / 2))
    assert row["coverage"] == pytest.approx(1 / 3)
    assert row["warned"] == pytest.approx(2 / 3)
    assert (row["rows"], row["logs"], row["undefined"], row["effective"]) == (11, 3, 1, 6.0)


def test_variances_are_compared_in_pairs():
    """Of equal variances the test rejects about as often as it says; a clearly wider one always."""
    generator = np.random.default_rng(0)
    shared = generator.normal(size=(400, 100))
    x, y = (shared + generator.normal(size=(400, 100)) for _ in range(2))
    found = np.array([variance_excess(one, other) for one, other in zip(x, y, strict=True)])
    assert np.mean(np.abs(found) > 1.96) == pytest.approx(0.05, abs=0.035)
    assert variance_excess(2 * x[0], y[0]) > 3
    assert variance_excess(x[0], x[0]) == 0
    assert variance_excess([1.0, None, 2.0], [1.0, 2.0, 3.0]) == 0


def study_rows():
    shared = {"scenario": "s", "kind": "decisions", "policy": "p", "sessions": 10, "sd": 1.0}
    good = {"unbiased": True, "support": 1.0, "bias": 0.02, "bias_se": 0.01, "coverage": 0.95, "warned": 0.0}
    return [
        shared | good | {"estimator": "ips"},
        shared | good | {"estimator": "dr", "bias": 0.04, "coverage": 0.89},
        shared | good | {"estimator": "dm", "unbiased": False, "bias": 1.0, "coverage": 0.0},
        shared | good | {"estimator": "ips", "policy": "q", "support": 0.5, "warned": 0.9},
    ]


def test_claims_are_made_of_sound_rows_only():
    checks = {one["check"]: one for one in checks_of(study_rows())}
    bias, coverage, support = checks.values()
    assert (bias["rows"], bias["hold"], bias["worst"]["estimator"]) == (2, 1, "dr")
    assert (coverage["rows"], coverage["hold"]) == (2, 1)
    assert (support["rows"], support["hold"], support["worst"]["policy"]) == (1, 0, "q")


def test_orders_are_those_of_the_logs():
    narrow, wide = np.random.default_rng(1).normal(size=(2, 50))
    values = {("s", "p", 10, "dr"): narrow, ("s", "p", 10, "ips"): 5 * wide}
    (order,) = [one for one in orders_of(study_rows(), values) if one["check"] == "dr no wider than ips"]
    assert (order["rows"], order["hold"]) == (1, 1)
    (order,) = [
        one
        for one in orders_of(study_rows(), {("s", "p", 10, "dr"): 5 * wide, ("s", "p", 10, "ips"): narrow})
        if one["check"] == "dr no wider than ips"
    ]
    assert order["hold"] == 0


def test_the_study_has_what_it_claims():
    """At least three scenarios with four targets each, at graded distance from the logging policy."""
    assert len({world.scenario for world in STUDY if world.unbiased}) >= 3
    assert len({world.slug for world in STUDY}) == len(STUDY)
    for world in STUDY:
        assert list(world.targets) == ["near", "middling", "far", "farthest"]
        assert list(world.sizes) == sorted(world.sizes)
        assert sizes_of(world, 1_000)
    full = ope_study.PRESETS["full"]
    assert full.logs == 500
    assert full.truth_users == 1_000_000
    assert all(full.logs % preset.logs_per_task == 0 for preset in ope_study.PRESETS.values())


SMALL = StudyWorld("small", "sessions", "Tiny-v0", 3, LOGGING, {"far": {**LOGGING, "epsilon": 0.2}}, (40, 80))


@pytest.mark.parametrize("kind", ["sessions", "decisions"])
def test_logs_are_cut_by_user_and_estimated(monkeypatch, kind):
    small = StudyWorld(**{**vars(SMALL), "kind": kind, "max_steps": 3 if kind == "sessions" else 1})
    monkeypatch.setattr(ope_study, "study_world", lambda name: small)
    seen = []
    found = estimates_of_logs("small", 1, 3, 1_000, 0, report=seen.append)["policies"]["far"]
    assert 0 < found["distance"] < 1
    assert found["unsupported"] == 0
    assert seen == sorted(seen)
    assert seen[-1] == 1
    steps = small.max_steps
    for by_size in found["estimates"].values():
        assert set(by_size) == {"40", "80"}
        assert by_size["80"]["rows"] == [80 * steps] * 3
        assert len(set(by_size["40"]["value"])) == 3
    again = estimates_of_logs("small", 1, 3, 1_000, 0, **SILENT)["policies"]["far"]
    assert again == found
    json.dumps(found, allow_nan=False)


def test_the_true_value_is_what_the_policy_earns(monkeypatch):
    """A policy that acts as the logging one earns what its log says."""
    same = StudyWorld(**{**vars(SMALL), "targets": {"far": LOGGING}})
    monkeypatch.setattr(ope_study, "study_world", lambda name: same)
    truth = true_value("small", "far", 20_000, 0, **SILENT)
    found = estimates_of_logs("small", 0, 2, 1_000, 0, **SILENT)["policies"]["far"]
    (value, _) = found["estimates"]["trajectory_is"]["80"]["value"]
    lower, upper = (found["estimates"]["trajectory_is"]["80"][end][0] for end in ("lower", "upper"))
    assert abs(value - truth["value"]) < 4 * np.hypot((upper - lower) / 3.92, truth["standard_error"])


@pytest.mark.slow
def test_the_study_runs_resumes_and_writes_rows(tmp_path, monkeypatch):
    monkeypatch.setitem(ope_study.PRESETS, "quick", ope_study.Preset(4, 2, 2_000, 1_000))
    arguments = {
        "preset": "quick",
        "seed": 0,
        "out": tmp_path / "out",
        "jobs": 2,
        "overwrite": False,
        "json_path": tmp_path / "ope.json",
    }
    first = ope_study.study(**arguments, console=Console(file=io.StringIO(), width=150))
    console = Console(file=io.StringIO(), width=150, record=True)
    assert ope_study.study(**arguments, console=console)["rows"] == first["rows"]
    printed = console.export_text()
    assert "tasks are done already, 0 to go" in printed
    assert "every log without support is reported: 56 of 56 rows" in printed
    saved = json.loads((tmp_path / "ope.json").read_text())
    (section,) = read_results(tmp_path / "out")
    checked = {check["check"]: check["hold"] == check["rows"] for check in saved["checks"] if check["rows"]}
    assert [finding["shown"] for finding in section.findings] == list(checked.values())
    assert all(map(str.startswith, (finding["text"] for finding in section.findings), checked))
    columns = ("scenario", "policy", "estimator", "rows", "bias", "bias_se", "rmse", "coverage", "support")
    assert set(columns) <= set(saved["rows"][0])
    for world in STUDY:
        assert (tmp_path / "out" / f"error_{world.slug}.png").stat().st_size > 1_000
        assert study_world(world.name) is world
