import io
import json

import numpy as np
import pytest
from rich.console import Console

import agents
from benchmarks.errors import UsageError
from benchmarks.headroom import (
    find_scenarios,
    find_users,
    headroom,
    headroom_table,
    make_policy,
    policies_of,
    relative_gain,
    report,
    serve_policy,
    task_name,
    user_interval,
)
from benchmarks.tasks import TaskFolder, write_json
from recsim_env import SCENARIOS, World, get_scenario

STOREFRONT = "recsim_env/Storefront-v0"
SETTINGS = {"command": "headroom", "users": {STOREFRONT: 4}, "seed": 7}
RETURNS = {
    "random": [1.0, 2.0, 1.0, 2.0],
    "popular": [2.0, 2.0, 2.0, 4.0],
    "myopic": [10.0, 20.0, 10.0, 20.0],
    "planning": [14.0, 26.0, 13.0, 25.0],
}


@pytest.fixture
def folder(tmp_path):
    """Finished tasks with made-up returns."""
    folder = TaskFolder(tmp_path, SETTINGS)
    for policy, returns in RETURNS.items():
        name = task_name(STOREFRONT, policy)
        result = {"returns": returns, "lengths": [10, 10, 10, 20], "seconds": 1.0}
        write_json(folder.path(name), {"task": name, "fingerprint": folder.fingerprint, "result": result})
    return folder


def test_intervals_over_users_are_those_of_student():
    """n = 4, mean 15, s = 10 / sqrt(3), t_{0.975, 3} = 3.182."""
    found = user_interval(np.array([10.0, 20.0, 10.0, 20.0]))
    half = 3.1824463 * 10 / np.sqrt(3) / 2
    assert found == pytest.approx({"mean": 15, "lower": 15 - half, "upper": 15 + half})


def test_the_relative_gain_is_a_ratio_of_means():
    found = relative_gain(np.array(RETURNS["planning"]), np.array(RETURNS["myopic"]))
    assert found["mean"] == pytest.approx(19.5 / 15 - 1)
    residual = (np.array(RETURNS["planning"]) - 1.3 * np.array(RETURNS["myopic"])) / 15
    half = 3.1824463 * residual.std(ddof=1) / 2
    assert found["upper"] - found["mean"] == pytest.approx(half)
    assert found["mean"] - found["lower"] == pytest.approx(half)


def test_the_interval_of_the_relative_gain_covers():
    """400 samples of 50 pairs: the truth is inside in 95 % of them, within 4 standard errors of 0.011."""
    generator, covered = np.random.default_rng(4), 0
    for _ in range(400):
        reference = generator.lognormal(2.0, 0.5, 50)
        values = 1.25 * reference + generator.normal(0.0, 1.0, 50)
        found = relative_gain(values, reference)
        covered += found["lower"] < 0.25 < found["upper"]
    assert abs(covered / 400 - 0.95) < 4 * 0.011


def test_rows_are_means_with_paired_differences(folder):
    summary = report(folder, [STOREFRONT])
    rows = {(row["scenario"], row["policy"]): row for row in summary["rows"]}
    assert list(rows) == [("Storefront-v0", name) for name in RETURNS]
    for policy, returns in RETURNS.items():
        row = rows["Storefront-v0", policy]
        assert {key: row[key] for key in ("mean", "lower", "upper")} == user_interval(np.array(returns))
        paired = np.array(returns) - np.array(RETURNS["myopic"])
        assert row["minus_myopic"] == user_interval(paired)
        assert row["length"] == 12.5
        assert row["users"] == 4
    assert summary["headroom"][0]["mean"] == pytest.approx(0.3)
    assert json.loads((folder.folder / "summary.json").read_text()) == summary


def test_the_table_names_scenario_policies_and_headroom(folder):
    console = Console(width=130, record=True, file=io.StringIO())
    console.print(headroom_table(report(folder, [STOREFRONT])))
    printed = console.export_text()
    for words in ("Storefront-v0", "planning oracle", "myopic oracle", "15.00", "+4.50", "+30.0%"):
        assert words in printed


def test_every_policy_meets_the_same_users():
    served = {
        name: serve_policy("recsim_env/Memoryless-v0", name, 5, 3, lambda fraction: None)
        for name in ("random", "myopic")
    }
    assert (
        served["random"]["lengths"] == served["myopic"]["lengths"]
    )  # nothing shown changes how long they stay
    assert sum(served["myopic"]["returns"]) > sum(served["random"]["returns"])
    again = serve_policy("recsim_env/Memoryless-v0", "random", 5, 3, lambda fraction: None)
    assert again["returns"] == served["random"]["returns"]
    other = serve_policy("recsim_env/Memoryless-v0", "random", 5, 4, lambda fraction: None)
    assert other["lengths"] != served["random"]["lengths"]


def test_progress_ends_at_one():
    seen = []
    serve_policy("recsim_env/Memoryless-v0", "popular", 5, 3, seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_an_optimal_policy_takes_part_where_it_is_known(monkeypatch):
    assert "optimal" not in policies_of(STOREFRONT)
    monkeypatch.setitem(agents.OPTIMAL, "Storefront-v0", agents.MyopicOracle)
    assert policies_of(STOREFRONT)[-1] == "optimal"
    world = World(get_scenario(STOREFRONT).config)
    assert isinstance(make_policy("optimal", STOREFRONT, world), agents.MyopicOracle)


def test_the_planning_oracle_knows_the_horizon():
    world = World(get_scenario(STOREFRONT).config)
    policy = make_policy("planning", STOREFRONT, world)
    assert policy.max_steps == get_scenario(STOREFRONT).max_episode_steps


def test_scenarios_are_found_by_name():
    assert find_scenarios("Memoryless-v0, Storefront-v0,Memoryless-v0") == [
        "recsim_env/Memoryless-v0",
        "recsim_env/Storefront-v0",
    ]
    assert find_scenarios(None) == [f"recsim_env/{name}" for name in SCENARIOS]
    for bad in ("Storefont-v0", ","):
        with pytest.raises(UsageError):
            find_scenarios(bad)


def test_users_may_differ_by_scenario():
    names = find_scenarios("Storefront-v0,Tiny-v0")
    assert find_users("400", names) == dict.fromkeys(names, 400)
    assert find_users("400, Tiny-v0=20,Boredom-v0=3", names) == {names[0]: 400, names[1]: 20}
    for bad in ("1", "4,5", "x", "4,Tiny-v0=y", "4,Tini-v0=5"):
        with pytest.raises(UsageError):
            find_users(bad, names)


@pytest.mark.slow
def test_it_runs_resumes_and_writes_rows(tmp_path):
    arguments = {
        "scenarios": "Memoryless-v0",
        "users": "4",
        "seed": 1_000,
        "out": tmp_path / "out",
        "jobs": 1,
        "overwrite": False,
        "json_path": tmp_path / "headroom.json",
    }
    first = headroom(**arguments, console=Console(file=io.StringIO(), width=130))
    console = Console(file=io.StringIO(), width=130, record=True)
    assert headroom(**arguments, console=console)["rows"] == first["rows"]
    assert "4 of 4 tasks are done already" in console.export_text()
    saved = json.loads((tmp_path / "headroom.json").read_text())
    assert saved["rows"] == first["rows"]
    assert saved["headroom"][0]["mean"] == 0
    assert {"scenario", "policy", "mean", "lower", "upper"} <= set(saved["rows"][0])
    assert saved["provenance"]["stream_version"] == saved["settings"]["stream_version"]
