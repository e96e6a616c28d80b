import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.throughput import run, with_ratios
from benchmarks.throughput_cases import PEER, Case
from benchmarks.throughput_row import measure, peak_bytes
from recsim_env import SCENARIOS


@pytest.mark.parametrize("num_users", [0, 7])
def test_a_row_measures_steps_and_memory(num_users):
    case = Case("recsim_env", num_users, 50, 1).process_case(seconds=0.02)
    result = measure(case)
    assert result["rate"] > 100
    assert 10 < result["peak_mib"] < 10_000
    assert result["first_step_seconds"] > 0
    assert peak_bytes() >= result["peak_mib"] * 2**20


def test_ratios_compare_like_with_like():
    rows = with_ratios(
        [
            {"simulator": "recsim_env", "num_users": 0, "slate_size": 1, "rate": 30.0},
            {"simulator": "recsim_env", "num_users": 64, "slate_size": 1, "rate": 800.0},
            {"simulator": "recsim_env", "num_users": 64, "slate_size": 10, "rate": 800.0},
            {"simulator": PEER, "num_users": 0, "slate_size": 1, "rate": 3.0},
            {"simulator": PEER, "num_users": 32, "slate_size": 1, "rate": 2.0},
        ]
    )
    assert [row["peer_ratio"] for row in rows] == [10.0, 400.0, None, None, None]


@pytest.mark.slow
def test_the_command_reports_every_row(tmp_path: Path):
    console = Console(width=130, record=True, quiet=True)
    summary = run(
        catalogs=[50],
        slates=[1],
        batches=[0, 8],
        scenarios=True,
        repeats=1,
        seconds=0.02,
        peer_python=None,
        out=tmp_path,
        json_path=tmp_path / "rows.json",
        console=console,
    )
    ours = [row for row in summary["rows"] if row["simulator"] == "recsim_env"]
    assert [(row["num_users"], len(row["rates"])) for row in ours] == [(0, 1), (8, 1)]
    assert all(row["rate_low"] <= row["rate"] <= row["rate_high"] for row in ours)
    assert summary["first_step_seconds"]["warm"] < summary["first_step_seconds"]["cold"]
    assert summary["scenarios"][0]["scenario"] == "StorefrontSlate-v0"
    assert {row["scenario"] for row in summary["scenarios"]} == set(SCENARIOS)
    assert summary["scenarios"][0]["yardstick_ratio"] == 1
    saved = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert saved == summary["rows"] + summary["scenarios"]
