"""`recsim-env agent-cost`: which cases there are, and that a measurement is one."""

from __future__ import annotations

import json
import subprocess

import pytest
from typer.testing import CliRunner

from agents import AGENTS, OFFLINE
from benchmarks.agent_cost import KILLED, agent_cost, cost_tables, find_cases
from benchmarks.agent_cost_row import measure
from benchmarks.cli import app
from benchmarks.display import TasksFailedError
from benchmarks.errors import UsageError
from benchmarks.terminal import standard_output


def test_every_agent_acts_and_every_network_trains():
    cases = find_cases(None, [100, 200])
    acting = {case["agent"] for case in cases if case["kind"] == "act"}
    assert {name for name in AGENTS if name != "myopic"} <= acting
    assert "myopic" not in acting
    training = {case["agent"] for case in cases if case["kind"] == "train"}
    assert {"sqn", "ips"} <= training
    assert {name.partition(":")[0] for name in training} <= set(OFFLINE)
    assert find_cases("sqn:gamma=0,dim=8,ips", [100])[-1]["agent"] == "ips"
    with pytest.raises(UsageError, match="unknown agent 'sqm'"):
        find_cases("sqm", [100])


def test_an_agent_is_left_out_where_it_refuses_the_catalog():
    with pytest.raises(UsageError, match="keeps all pairs of at most 20,000 items"):
        find_cases("item-knn,popular", [100_000])
    assert [case["num_items"] for case in find_cases("item-knn", [1_000, 100_000])] == [1_000]


@pytest.mark.parametrize("kind", ["act", "train"])
def test_a_measurement(kind):
    case = {"kind": kind, "agent": "sqn:dim=8", "num_items": 60, "num_users": 64, "log_decisions": 500}
    found = measure({**case, "seconds": 0.05})
    assert found["rate"] > 0
    assert found["peak_mib"] >= found["base_mib"] > 10


def test_the_table_has_a_column_per_size(capsys):
    rows = [
        {"kind": kind, "agent": agent, "num_items": size, "rate": rate, "peak_mib": 100.0, "failure": failure}
        for kind in ("act", "train")
        for agent, size, rate, failure in (
            ("sqn", 1_000, 12_345.0, None),
            ("sqn", 100_000, None, KILLED),
            ("ips", 1_000, None, "ips: its process failed (1)"),
        )
    ]
    summary = {
        "rows": rows,
        "num_users": 4_096,
        "log_decisions": 20_000,
        "seconds": 2.0,
        "provenance": {"load_average_before": 0.5},
    }
    standard_output().print(cost_tables(summary))
    printed = capsys.readouterr().out
    for text in ("1,000 items", "100,000 items", "12,345 [100]", "out of memory", "failed", "refused"):
        assert text in printed


def test_a_failure_costs_no_other_measurement(monkeypatch, tmp_path):
    def run(command, **_):
        fails = json.loads(command[-1])["agent"] == "popular"
        figures = json.dumps({"rate": 5.0, "peak_mib": 1.0, "base_mib": 1.0})
        return subprocess.CompletedProcess(command, int(fails), figures, "ValueError: no")

    monkeypatch.setattr("benchmarks.agent_cost.subprocess.run", run)
    kept = tmp_path / "c.json"
    with pytest.raises(TasksFailedError, match=r"popular, actions per second, 100 items") as caught:
        agent_cost("random,popular,sqn", [100], 0.01, kept, standard_output())
    assert "its process failed (1)\nValueError: no" in str(caught.value)
    rows = json.loads(kept.read_text())["rows"]
    assert [(row["agent"], row["rate"]) for row in rows] == [
        ("random", 5.0),
        ("popular", None),
        ("sqn", 5.0),
        ("sqn", 5.0),
    ]


@pytest.mark.slow
def test_the_command(tmp_path):
    result = CliRunner().invoke(
        app,
        [
            "agent-cost",
            "--agents",
            "random,sqn",
            "--catalogs",
            "100",
            "--seconds",
            "0.05",
            "--json",
            f"{tmp_path}/c.json",
        ],
        env={"COLUMNS": "200", "TERM": "dumb"},
    )
    assert result.exit_code == 0, result.output
    rows = json.loads((tmp_path / "c.json").read_text())["rows"]
    assert [(row["kind"], row["agent"]) for row in rows] == [
        ("act", "random"),
        ("act", "sqn"),
        ("train", "sqn"),
    ]
    assert all(row["rate"] > 0 and row["peak_mib"] > 50 for row in rows)
