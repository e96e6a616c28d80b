"""`recsim-env deploy --seeds`: strategies and arms over paired repetitions."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.deploy_seeds import arms_by_phase, findings_of, phases_of, strategy_rows
from benchmarks.results import read_results
from benchmarks.rows import lookup
from benchmarks.tasks import TaskFolder, write_json
from recsim_env import get_scenario
from recsim_env.deployment import PAPER

PHASES = ("0-10", "10-20")


def repetitions(out, strategy):
    """What is printed of two repetitions with two arms, and what `recsim-env report` reads of them."""
    arms = ("--scenario", "Tiny-v0", "--arms", "popular", "greedy", "--users", "200", "--batch", "10")
    repeated = ("--seeds", "2", "--strategy", strategy, "--jobs", "1", "--out", str(out))
    found = CliRunner().invoke(app, ["deploy", *arms, *repeated], env={"COLUMNS": "200", "TERM": "dumb"})
    assert found.exit_code == 0, found.output
    (section,) = read_results(out)
    return found.output, section


def test_paired_repetitions_tell_what_arms_earn_in_each_phase(tmp_path):
    output, section = repetitions(tmp_path, "thompson")
    rows = lookup(section.rows)
    always = "reward, hours 0-0"
    over = {arm: rows[arm, "reward_over_control, hours 0-0"] for arm in ("popular", "greedy")}
    assert [over["popular"][end] for end in ("value", "lower", "upper")] == [0, 0, 0]
    gained = rows["greedy", always]["value"] - rows["popular", always]["value"]
    assert over["greedy"]["value"] == pytest.approx(gained)
    assert ("thompson", "dynamic_regret_over_paper") not in rows  # the six have not all run
    assert section.findings == []
    regret = rows["thompson", "dynamic_regret"]
    assert regret["lower"] <= regret["value"] <= regret["upper"]
    assert regret["seeds"] == 2
    assert "thompson" in output


def test_all_strategies_are_held_against_the_best_of_the_paper(tmp_path):
    output, section = repetitions(tmp_path, "all")
    rows = lookup(section.rows)
    regret = {name: row["value"] for (name, metric), row in rows.items() if metric == "dynamic_regret"}
    assert set(PAPER) < set(regret)
    least = min(regret[name] for name in PAPER)
    for name, value in regret.items():
        assert rows[name, "dynamic_regret_over_paper"]["value"] == pytest.approx(value - least)
        assert name in output
    assert len(section.findings) == len(regret) - len(PAPER)


def test_phases_begin_where_declared_changes_do():
    edges = [[0, 168], [168, 336], [336, 456], [456, 552], [552, 720]]
    assert phases_of(get_scenario("Drift-v0").config) == edges
    assert phases_of(get_scenario("Tiny-v0").config) == [[0, 0]]


def test_arms_by_phase_by_hand(tmp_path):
    """Arm b earns 2 more in the first phase and 1 less in the second; seeds differ in the level alone."""
    folder = TaskFolder(tmp_path, {"command": "test"}, False)
    for seed in (0, 1):
        for place, reward in enumerate(([1.0, 3.0, 5.0, 5.0], [3.0, 5.0, 4.0, 4.0])):
            made = {"reward": [one + seed for one in reward], "hour": [0.0, 9.0, 10.0, 11.0]}
            stored = {"result": made, "fingerprint": folder.fingerprint}
            write_json(folder.path(f"serve-{place}-{seed}"), stored)
    found = lookup(arms_by_phase(folder, "Drift-v0", ["a", "b"], [0, 1], [[0.0, 10.0], [10.0, 20.0]]))

    def ends(arm, metric):
        return tuple(found[arm, metric][end] for end in ("value", "lower", "upper"))

    rewards = {(arm, hours): ends(arm, f"reward, hours {hours}")[0] for arm in "ab" for hours in PHASES}
    assert rewards == {("a", "0-10"): 2.5, ("a", "10-20"): 5.5, ("b", "0-10"): 4.5, ("b", "10-20"): 4.5}
    over = {
        (arm, hours): ends(arm, f"reward_over_control, hours {hours}") for arm in "ab" for hours in PHASES
    }
    assert {over["a", hours] for hours in PHASES} == {(0, 0, 0)}
    assert over["b", "0-10"] == (2, 2, 2)
    assert over["b", "10-20"] == (-1, -1, -1)


def test_strategies_by_hand():
    """Six of the paper, of which naive loses least, and one that loses 10 less than it at every seed."""
    found = {
        name: {
            "regret": [20.0 + place, 40.0 + place],
            "fixed": [1.0, 3.0],
            "reward": [80.0 - place, 160.0 - place],
            "switches": [1, 2],
            "detected": [0, 0],
        }
        for place, name in enumerate(PAPER)
    }
    best = next(iter(PAPER))
    found["detected_ucb"] = found[best] | {"regret": [10.0, 30.0], "reward": [90.0, 170.0]}
    rows = lookup(strategy_rows("Drift-v0", found))
    assert next(iter(rows))[0] == "detected_ucb"  # the least regret first
    assert rows[best, "dynamic_regret"]["value"] == 30
    assert rows[best, "dynamic_regret_over_paper"]["value"] == 0
    assert rows[best, "lost_share"]["value"] == pytest.approx(0.2)
    over = rows["detected_ucb", "dynamic_regret_over_paper"]
    assert (over["value"], over["lower"], over["upper"]) == (-10, -10, -10)
    (finding,) = findings_of("Drift-v0", found)
    assert finding["text"].startswith(f"Drift-v0: dynamic regret of detected_ucb is below that of {best}")
