"""`recsim-env deploy`: policies as arms, the worlds of its study, its rows and claims."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks import deploy_study
from benchmarks.cli import app
from benchmarks.deploy_errors import Peeking, releases
from benchmarks.deploy_regret import regret
from benchmarks.deploy_report import mean_row, median_row, release_rows, share_row, study_table
from benchmarks.deploy_simulator import Recorded, Table, arm_curves, deploy_table
from benchmarks.deploy_study import Preset
from benchmarks.deploy_users import picked
from benchmarks.deploy_worlds import BEST, WORLDS, draw_world, run_many
from benchmarks.results import read_results
from recsim_env.deployment import Batch, Controller, Deployment, Feedback, Settings, make_strategy


def silent(fraction):
    return None


def invoke(*arguments):
    options = {"COLUMNS": "200", "TERM": "dumb"}
    return CliRunner().invoke(app, ["deploy", *(str(one) for one in arguments)], env=options)


def test_policies_are_deployed_and_reported(tmp_path):
    arms = ("--scenario", "Tiny-v0", "--arms", "popular", "uniform", "greedy", "--users", 400, "--batch", 10)
    result = invoke(
        *arms,
        "--out",
        tmp_path,
        "--json",
        tmp_path / "rows.json",
        "--jobs",
        1,
        "--release-every",
        3,
        "--strategy",
        "detected_thompson",
    )
    assert result.exit_code == 0, result.output
    assert "detected_thompson" in result.output
    saved = json.loads((tmp_path / "rows.json").read_text())
    assert saved == json.loads((tmp_path / "summary.json").read_text())
    assert saved["arms"] == ["popular", "uniform", "greedy"]
    assert [row["strategy"] for row in saved["rows"]] == ["detected_thompson"]
    for row in saved["rows"]:
        assert np.sum(row["shares"], axis=1) == pytest.approx(1)
        lines = (tmp_path / f"decisions_{row['strategy']}.jsonl").read_text().splitlines()
        assert [json.loads(line)["kind"] for line in lines][:2] == ["admit", "leader"]
    for name in ("traffic.png", "traffic.svg", "regret.png", "regret.svg"):
        assert (tmp_path / name).stat().st_size > 1_000
    again = invoke(*arms, "--out", tmp_path, "--strategy", "naive", "--jobs", 1)
    assert "3 of 3 tasks are done already" in again.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--arms", "popular"), "expected at least two different arms"),
        (("--arms", "popular", "popula"), "did you mean 'popular'"),
        (("--arms", "popular", "myopic"), "expected a policy that observations are enough for"),
        (("--strategy", "thomson"), "did you mean 'thompson'"),
        (("--users", "100"), "expected at least 10 batches of 50, got 100"),
        (("popular",), "unexpected argument 'popular'; arms come behind --arms"),
        (("--study", "--arms", "popular"), "--study has its own arms"),
    ],
)
def test_mistakes_are_one_clear_error(arguments, message, tmp_path):
    result = invoke("--scenario", "Tiny-v0", *arguments, "--out", tmp_path / "out")
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert "Traceback" not in result.output


def test_a_recorded_table_is_looked_up_row_by_row():
    table = Table(np.arange(8.0).reshape(2, 4), np.arange(4), np.zeros(4, int), np.zeros(4))
    batch = Batch(1, 2, np.array([2, 3]), np.array([0, 1]), ("a", "b"))
    assert Recorded(table)(batch).reward.tolist() == [2.0, 7.0]
    assert arm_curves([table], 1)[0].tolist() == [0.5, 4.5]  # the batch and its neighbour


def test_regret_on_a_table_by_hand():
    # Arm 1 is better by 1 for everyone; naive gives it everything but the control slice.
    reward = np.stack([np.zeros(200), np.ones(200)])
    table = Table(reward, np.arange(200), np.zeros(200, int), np.zeros(200))
    options = (arm_curves([table], 20), 20, 3, 0, False, Settings(control_share=0.25, floor=0.0))
    found = deploy_table(table, {"a": None, "b": None}, "naive", *options)
    to_control = 200 - np.sum(found["shares"], axis=0)[1] * 20
    assert found["dynamic"][-1] == found["fixed"][-1] == to_control
    assert found["lost"] == pytest.approx(to_control / 200)
    assert 20 < to_control < 80
    assert found["bad"][-1] == to_control


@pytest.mark.parametrize("name", WORLDS)
def test_worlds_change_as_often_as_they_say(name):
    world = draw_world(name, range(1000, 1010), 160)
    best = world.means.argmax(axis=3)
    changes = (best[1:] != best[:-1]).sum(axis=(0, 2))
    assert changes.tolist() == world.changes.tolist()
    least, most = {"stationary": (0, 0), "recurring drift": (7, 7), "per-segment drift": (2, 2)}.get(
        name, (1, 1)
    )
    assert changes.min() == least
    assert changes.max() <= most + (name == "gradual drift")  # a third arm may be the best on the way
    if name != "gradual drift":
        assert world.means.max(axis=3) == pytest.approx(BEST)
        first = [(best[:, run] != best[0, run]).any(axis=1) for run in range(10)]
        assert [int(moved.argmax()) if moved.any() else 160 for moved in first] == world.first_change.tolist()


def test_users_and_counts_tell_the_same_story():
    # The same strategy on single users through the hash, and on counts drawn from its shares.
    means = np.full((60, 1, 1, 2), 0.2) + np.array([0.0, 0.2])
    totals = {}
    settings = Settings(control_share=0.1)
    many = Controller(make_strategy("thompson"), np.random.default_rng(0), settings, num_runs=40)
    for arm in ("a", "b"):
        many.admit(arm)
    totals["counts"] = run_many(many, means, 50, np.random.default_rng(1)).regret.sum(axis=0)
    luck, found = np.random.default_rng(2), []
    for seed in range(40):
        one = Controller(make_strategy("thompson"), luck, settings)
        for arm in ("a", "b"):
            one.admit(arm)

        def platform(batch):
            request = batch.first_request + np.arange(len(batch.arm))
            return Feedback(request, (luck.random(len(request)) < means[0, 0, 0, batch.arm]).astype(float))

        deployment = Deployment(platform, one, seed)
        served = [deployment.serve(np.arange(50) + 50 * number).arm for number in range(60)]
        found.append(0.2 * (np.concatenate(served) == 0).sum())
    totals["users"] = np.array(found)
    gap = totals["counts"].mean() - totals["users"].mean()
    error = np.hypot(*(values.std(ddof=1) / np.sqrt(40) for values in totals.values()))
    assert abs(gap) < 4 * error
    assert error < 0.1 * totals["users"].mean()


def test_tasks_depend_on_their_arguments_alone():
    for task, arguments in (
        (releases, ("common shock", 0, 5, 20, 1000)),
        (regret, ("per-segment drift", "segment_thompson", [1000, 1001], 16)),
        (picked, ("delayed purchases", "A/B test, window of 4 batches", [1000], 12)),
    ):
        one, other = (json.dumps(task(*arguments, report=silent)) for _ in range(2))
        assert one == other


def test_peeking_by_hand():
    rules = Peeking(1)
    batch = np.zeros((3, 1, 1, 2))
    batch[0], batch[1, 0, 0] = 100, [30, 17]  # z = 0.13 / sqrt(0.0021 + 0.001411) = 2.19
    rules.watch(batch)
    assert {name: bool(rolled[0]) for name, rolled in rules.rolled_back.items()} == {
        "peeking z-test at 1%": False,
        "peeking z-test at 5%": True,
        "failure limit of 5": False,
    }
    for _ in range(4):
        rules.watch(batch)
    assert all(rolled[0] for rolled in rules.rolled_back.values())


def test_rows_by_hand():
    one = share_row("s", "t", "m", 0, 100)
    assert (one["value"], one["lower"], one["runs"]) == (0.0, 0.0, 100)
    assert one["upper"] == pytest.approx(1 - 0.025 ** (1 / 100), rel=1e-5)
    middle = median_row("s", "t", "m", [5, 1, 3])
    assert (middle["value"], middle["lower"], middle["upper"]) == (3, 1, 5)
    assert median_row("s", "t", "m", [])["value"] is None
    assert mean_row("s", "t", "m", [1.0, 1.0])["upper"] == 1.0
    result = {
        "rollback": [None, 7],
        "promote": [3, None],
        "alarm": [None, None],
        "exposure": [10.0, 20.0],
        "others": {"rule": [True, True]},
    }
    rows = {(row["strategy"], row["metric"]): row["value"] for row in release_rows("A/A", [result, result])}
    assert rows["sequential test", "rolled back"] == 0.5
    assert rows["rule", "rolled back"] == 1.0


@pytest.mark.slow
def test_the_study_runs_and_a_cut_run_resumes(tmp_path, monkeypatch):
    monkeypatch.setitem(deploy_study.PRESETS, "quick", Preset(4, 2, 1, 20, 2, 40, 2, 30, 2, 60, 10))
    console = Console(file=io.StringIO(), width=200)
    options = {"preset": "quick", "seed": 1000, "out": tmp_path, "jobs": 2, "overwrite": False}
    summary = deploy_study.study(**options, json_path=tmp_path / "rows.json", console=console)
    assert {tuple(row) for row in summary["rows"]} == {
        ("scenario", "strategy", "metric", "value", "lower", "upper", "runs")
    }
    scenarios = {row["scenario"] for row in summary["rows"]}
    assert {"A/A", "common shock", "Drift-v0", "carry-over", *WORLDS} <= scenarios
    assert len(summary["claims"]) > 30
    (section,) = read_results(tmp_path)
    assert section.rows == summary["rows"]
    assert [finding["shown"] for finding in section.findings] == [one["holds"] for one in summary["claims"]]
    assert section.figures
    for name in ("power.png", "drift_regret.png"):
        assert (tmp_path / name).stat().st_size > 1_000
    console.print(study_table(summary))
    (tmp_path / "tasks" / "drift-ucb.json").unlink()
    again = deploy_study.study(**options, json_path=None, console=console)
    assert again["rows"] == summary["rows"]
