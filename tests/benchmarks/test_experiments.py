"""The experiments, small: they run, resume, score and draw."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from benchmarks import experiments as package
from benchmarks.engines import Engine
from benchmarks.errors import UsageError
from benchmarks.experiments import controls, experiments
from benchmarks.experiments.costs import cost_line
from benchmarks.experiments.frame import (
    Definition,
    Finding,
    Score,
    find_experiment,
    in_one_scenario,
    run_experiment,
    written,
)
from benchmarks.rows import over_seeds, row
from benchmarks.statistics import Interval
from benchmarks.tasks import Task
from tests.benchmarks.toy_tasks import square

SMALL = {
    "controls": {
        "scenarios": ["Memoryless-v0"],
        "decisions": {"Memoryless-v0": 2_000},
        "num_users": 20,
        "num_seeds": 2,
    },
    "exploration": {"scenarios": ["Tiny-v0"], "num_users": 40, "learning_users": 200, "num_seeds": 2},
    "next-item": {
        "scenario": "Tiny-v0",
        "agents": ["popular", "sknn", "next-item"],
        "temporal": ["popular", "next-item"],
        "log_decisions": 1_500,
        "most_sessions": 100,
        "epochs": 1,
        "num_seeds": 2,
    },
    "offline": {
        "scenario": "Tiny-v0",
        "learners": ["ips recorded", "sqn q", "next-item"],
        "log_sizes": [200, 600],
        "base_size": 600,
        "supports": ["softmax 1", "uniform"],
        "qualities": ["popularity", "logging"],
        "updates": 5,
        "batch_size": 64,
        "dim": 8,
        "num_users": 40,
        "evaluation_users": 60,
        "num_seeds": 2,
    },
    "reward-design": {
        "scenarios": ["Tiny-v0"],
        "agents": ["myopic", "ips", "sqn"],
        "controls": ["ips:shuffled_reward=true", "sqn:shuffled_reward=true"],
        "num_users": 20,
        "first_users": 40,
        "log_decisions": 400,
        "num_seeds": 2,
    },
    "same-agent": {
        "scenario": "Tiny-v0",
        "policy": "uniform",
        "num_repetitions": 16,
        "seeds_each": 8,
        "users_each": 4,
        "num_seeds": 1,
    },
    "planted": {
        "scenario": "Tiny-v0",
        "base": "greedy",
        "num_users": 1_000,
        "calibration_users": 1_000,
        "num_repetitions": 20,
        "num_seeds": 1,
    },
    "long-run": {
        "scenarios": ["Tiny-v0"],
        "ranked": ["popular", "item-knn", "next-item"],
        "gammas": [0.0, 0.9],
        "horizons": [3],
        "log_decisions": 500,
        "held_out_decisions": 300,
        "num_users": 40,
        "num_seeds": 2,
    },
    "verdict": {
        "scenarios": ["Tiny-v0"],
        "agents": ["random", "popular", "logging", "myopic", "sqn", "sqn:gamma=0.0", "linucb"],
        "log_decisions": 500,
        "online_decisions": 500,
        "online_users": 64,
        "num_users": 40,
        "planning_users": 10,
        "num_seeds": 2,
    },
}
FIRST_SEED = 1_000


def small_run(name, out, console=None, **changes):
    arguments = {
        "preset": "quick",
        "num_seeds": None,
        "first_seed": FIRST_SEED,
        "jobs": Engine("serial"),
        "overwrite": False,
        "json_path": None,
        "console": console or Console(quiet=True),
    }
    definition = find_experiment(name)
    with pytest.MonkeyPatch.context() as patch:
        for preset in definition.sizes:
            patch.setitem(definition.sizes, preset, SMALL[name])
        return run_experiment(name=name, out=out, **(arguments | changes))


QUICK = ("planted", "same-agent")


@pytest.fixture(
    scope="module",
    params=[name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in sorted(SMALL)],
)
def run(request, tmp_path_factory):
    out = tmp_path_factory.mktemp(request.param)
    return request.param, out, small_run(request.param, out, json_path=out / "rows.json")


def test_it_saves_rows_findings_and_figures(run):
    name, out, summary = run
    assert summary["experiment"] == name
    assert summary["asked"].endswith(("?", ".")), summary["asked"]
    figures = "control, mean" if name == "controls" else "metric, value"
    for one in summary["rows"]:
        columns = f"experiment, scenario, agent, {figures}, lower, upper, seeds".split(", ")
        assert list(one)[:8] == columns
        assert one["experiment"] == name
        assert one["scenario"] in ("Tiny-v0", "all", *SMALL[name].get("scenarios", []))
        assert np.isfinite(one[columns[4]])
    assert summary["findings"]
    assert list(out.glob("*.svg"))
    assert json.loads((out / "rows.json").read_text())["rows"] == summary["rows"]


def test_a_second_run_computes_nothing(run):
    name, out, summary = run
    before = {path: path.stat().st_mtime_ns for path in (out / "tasks").iterdir()}
    again = small_run(name, out)
    assert {path: path.stat().st_mtime_ns for path in (out / "tasks").iterdir()} == before
    assert again["rows"] == summary["rows"]


def test_another_size_does_not_mix_with_it(run):
    name, out, _ = run
    with pytest.raises(UsageError, match="other settings"):
        small_run(name, out, preset="standard")


def test_every_experiment_has_every_preset():
    for definition in experiments().values():
        assert list(definition.sizes) == ["quick", "standard", "full"]
        costs = []
        for size in definition.sizes.values():
            json.dumps(size)
            tasks = definition.tasks(size, [0, 1])
            assert len({task.name for task in tasks}) == len(tasks)
            costs.append(definition.core_seconds(size, range(size["num_seeds"])))
        assert costs == sorted(costs)


@pytest.mark.parametrize("name", sorted(SMALL))
def test_quick_takes_minutes_and_standard_two_hours_of_two_cores(name):
    """By estimate. Of `controls` each world alone does, all four do not."""
    definition = find_experiment(name)
    quick, standard = (
        definition.core_seconds(size, range(size["num_seeds"]))
        for size in (definition.sizes["quick"], definition.sizes["standard"])
    )
    assert quick <= 2 * 10 * 60
    if name == "controls":
        worlds = [in_one_scenario(definition, "standard", world) for world in controls.CASES]
        standard = max(definition.core_seconds(size, range(size["num_seeds"])) for size in worlds)
    assert standard <= 2 * 2 * 3600


def test_an_unknown_experiment_names_the_nearest():
    with pytest.raises(UsageError, match="exploration"):
        find_experiment("exploraton")


def test_one_of_its_scenarios_is_the_others_left_out():
    whole = find_experiment("controls")
    size = in_one_scenario(whole, "standard", "recsim_env/Tiny-v0")
    assert size == {**whole.sizes["standard"], "scenarios": ["Tiny-v0"]}
    everywhere = {task.name: task.arguments for task in whole.tasks(whole.sizes["standard"], [0])}
    alone = {task.name: task.arguments for task in whole.tasks(size, [0])}
    assert alone == {name: of for name, of in everywhere.items() if of["scenario"] == "Tiny-v0"}


@pytest.mark.parametrize(
    ("name", "scenario", "said"),
    [
        ("controls", "Boredom-v0", "expected one of Tiny-v0, got 'Boredom-v0'"),
        ("planted", "Tiny-v0", "the experiment has but one, got 'Tiny-v0'"),
    ],
)
def test_a_scenario_that_it_does_not_have_is_named(tmp_path, name, scenario, said):
    with pytest.raises(UsageError, match=f"--scenario: {name} with --preset quick: {said}"):
        run_experiment(
            name=name,
            preset="quick",
            scenario=scenario,
            num_seeds=None,
            first_seed=FIRST_SEED,
            out=tmp_path / "none",
            jobs=Engine("serial"),
            overwrite=False,
            json_path=None,
            console=Console(quiet=True),
        )
    assert not (tmp_path / "none").exists()


def test_full_says_what_it_costs_before_it_starts(tmp_path):
    console = Console(width=120, record=True, file=io.StringIO())
    small_run("same-agent", tmp_path, console, preset="full")
    said = console.export_text().splitlines()
    assert said[0].startswith("8 tasks, about 0.0 core-hours")


def test_a_cost_is_in_core_hours_and_in_hours_where_the_cores_are_known():
    cores = "10 tasks, about 2.0 core-hours"
    assert cost_line(10, 7_200, Engine("process", 4)) == f"{cores}: 0.5 h on 4 processes"
    assert cost_line(10, 7_200, Engine("serial", 4)) == f"{cores}: 2.0 h on 1 process"
    assert cost_line(10, 7_200, Engine("ray", 2, "ray://head:10001")) == cores


def test_one_file_is_an_experiment(tmp_path, monkeypatch):
    """A module in the package is all it takes."""
    toy = Definition(
        "toy",
        "What is the square?",
        {"quick": {"num_seeds": 2}, "standard": {"num_seeds": 2}, "full": {"num_seeds": 2}},
        lambda size, seeds: [Task(f"seed-{seed}", square, {"value": seed}) for seed in seeds],
        lambda result, size, seeds: Score(
            [row("toy", "none", "a", "square", over_seeds([result(f"seed-{s}")["square"] for s in seeds]))],
            [Finding("squares grow", True)],
            {},
        ),
        lambda summary, folder: None,
        lambda size, seeds: 1.0,
    )
    monkeypatch.setitem(package.experiments(), "toy", toy)
    arguments = {"preset": "quick", "num_seeds": None, "first_seed": 3, "jobs": Engine("serial")}
    summary = run_experiment(
        name="toy", out=tmp_path, overwrite=False, json_path=None, console=Console(quiet=True), **arguments
    )
    assert summary["rows"][0]["value"] == (9 + 16) / 2


def test_intervals_are_written_for_readers():
    assert written(Interval(1234.5678, 1.0, 2000.0, "t", 3)) == "1,234.57 [1.00, 2,000.00]"
    assert written(Interval(0.5, np.nan, np.nan, "none", 1), 1, " %") == "0.5 %"


def test_intervals_stay_where_their_metric_is():
    share = row("toy", "recsim_env/Tiny-v0", "a", "tail_share", Interval(0.05, -0.1, 0.2, "t", 3))
    assert (share["scenario"], share["lower"], share["upper"]) == ("Tiny-v0", 0.0, 0.2)
    reward = row("toy", "Tiny-v0", "a", "reward_per_user", Interval(0.05, -0.1, np.nan, "t", 3))
    assert (reward["lower"], reward["upper"]) == (-0.1, None)
