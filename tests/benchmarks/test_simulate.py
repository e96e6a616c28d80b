"""`recsim-env simulate`: what it writes and says. How logs resume is tested in tests/event_log."""

from __future__ import annotations

import json
import resource

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from recsim_env import replay
from recsim_env.event_log import EventLog, LogFolder


def invoke(*arguments):
    return CliRunner().invoke(app, ["simulate", *map(str, arguments)], env={"COLUMNS": "200", "TERM": "dumb"})


def test_a_log_and_what_is_said_of_it(tmp_path):
    out, rows = tmp_path / "log", tmp_path / "rows.json"
    options = ("Tiny-v0", "--policy", "softmax:temperature=2", "--users", "6k", "--seed", 7, "--out", out)
    result = invoke(*options, "--partition-users", "4096", "--json", rows)
    assert result.exit_code == 0, result.output
    log = EventLog.load(out)
    assert log.policy == "softmax"
    assert log.num_users == 6_000
    assert log.provenance["scenario"] == "recsim_env/Tiny-v0"
    assert log.provenance["policy"]["settings"]["temperature"] == 2.0
    assert f"{len(log):,} decisions of 6,000 users in 2 files" in result.output
    saved = json.loads(rows.read_text())
    (row,) = saved["rows"]
    assert saved["provenance"]["stream_version"]
    assert (row["decisions"], row["users"], row["partitions"], row["users_reused"]) == (len(log), 6_000, 2, 0)
    assert row["bytes"] == sum(path.stat().st_size for path in out.glob("*.parquet"))
    assert row["decisions_per_second"] > 0
    assert row["peak_memory_bytes"] > 0
    again = replay(log, log.action)
    assert again.effect("reward").mean == 0, "the provenance is enough to serve the same users again"

    (out / "part-000001.parquet").unlink()
    resumed = invoke(*options, "--partition-users", "4096")
    assert "4,096 of 6,000 users are done already" in resumed.output
    assert "All of it was there already" in invoke(*options, "--partition-users", "4096").output
    other = invoke(*options[:-4], "--seed", 8, "--out", out, "--partition-users", "4096")
    assert other.exit_code == 2
    assert "settings.seed: 7 there, 8 here" in other.output


@pytest.mark.parametrize(
    "policy", ["uniform", "popularity", "epsilon-greedy:epsilon=0.2", "greedy", "popular"]
)
def test_policies_of_graded_support(tmp_path, policy):
    result = invoke("Tiny-v0", "--policy", policy, "--users", 200, "--out", tmp_path / "log")
    assert result.exit_code == 0, result.output
    log = EventLog.load(tmp_path / "log")
    deterministic = policy in ("greedy", "popular")
    assert (log.propensity == 1).all() == deterministic
    if policy == "uniform":
        assert np.ptp(log.propensity) == 0


def test_probabilities_and_a_saved_agent(tmp_path):
    from agents import LoggingPolicy
    from recsim_env import World, get_scenario

    catalog = World(get_scenario("Tiny-v0").config).public_catalog
    LoggingPolicy(catalog).save(tmp_path / "agent")
    options = ("--users", 100, "--out", tmp_path / "log", "--probabilities")
    result = invoke("Tiny-v0", "--policy", tmp_path / "agent", *options)
    assert result.exit_code == 0, result.output
    log = EventLog.load(tmp_path / "log")
    assert log.item_prob.shape == (len(log), 6)
    assert log.provenance["policy"]["agent"] == "LoggingPolicy"
    assert str(tmp_path) not in (tmp_path / "log" / "manifest.jsonl").read_text()
    wrong = invoke(
        "Storefront-v0", "--policy", tmp_path / "agent", "--users", 100, "--out", tmp_path / "other"
    )
    assert wrong.exit_code == 2
    assert "was made for the catalog" in wrong.output


def test_a_full_disk_is_one_clear_error(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        result = invoke("Tiny-v0", "--policy", "uniform", "--users", "10k", "--out", tmp_path / "log")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert result.exit_code == 2
    assert "File too large" in result.output
    assert "Finished partitions stay" in result.output
    assert "Traceback" not in result.output
    assert not LogFolder.open(tmp_path / "log").partitions


@pytest.mark.slow
def test_memory_does_not_grow_with_the_users(tmp_path):
    """At most 1 GiB, and eight times the users take no more than a tenth more."""
    import subprocess
    import sys

    peaks = []
    for users in ("50k", "400k"):
        rows = tmp_path / f"{users}.json"
        command = ["-m", "benchmarks", "simulate", "Storefront-v0", "--policy", "uniform", "--users", users]
        subprocess.run(
            [sys.executable, *command, "--out", tmp_path / users, "--json", rows],
            check=True,
            capture_output=True,
        )
        peaks.append(json.loads(rows.read_text())["rows"][0]["peak_memory_bytes"])
    assert peaks[1] < 2**30
    assert peaks[1] < 1.1 * peaks[0]
