import csv
import io

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from benchmarks.curve_report import curve_table
from benchmarks.learning_curve import FIXED, report, sized_name
from benchmarks.rows import lookup
from benchmarks.tasks import TaskFolder, write_json

SETTINGS = {"command": "learning-curve", "scenario": "recsim_env/Storefront-v0", "eval_users": 10}
SIZES, SEEDS = [1_000, 10_000], [0, 1, 2]
FIXED_REWARD = {"random": 1.0, "myopic": 5.0, "logging": 2.0}


def reward_of(size, seed):
    return 2.0 + (size == 10_000) + 0.2 * seed


@pytest.fixture
def folder(tmp_path):
    """Finished tasks with made-up rewards."""
    folder = TaskFolder(tmp_path, SETTINGS)
    rewards = {sized_name("sqn", size, seed): reward_of(size, seed) for size in SIZES for seed in SEEDS}
    rewards |= {f"{agent}-seed-{seed}": FIXED_REWARD[agent] for agent in FIXED for seed in SEEDS}
    for name, reward in rewards.items():
        result = {"metrics": {"reward_per_user": reward}}
        write_json(folder.path(name), {"task": name, "fingerprint": folder.fingerprint, "result": result})
    return folder


def test_scores_are_shares_of_the_gap_by_size(folder):
    summary = report(folder, ["sqn"], SIZES, SEEDS)
    rows = lookup(summary["rows"])
    for size in SIZES:
        reward = np.mean([reward_of(size, seed) for seed in SEEDS])
        assert rows[f"sqn, logging {size}", "reward_per_user"]["value"] == pytest.approx(reward)
        assert rows[f"sqn, logging {size}", "gap_share"]["value"] == pytest.approx((reward - 1) / 4)
    assert rows["logging", "gap_share"]["value"] == pytest.approx(0.25)


def test_agents_with_a_setting_changed_are_controls_on_the_same_logs(folder):
    for size in SIZES:
        for seed in SEEDS:
            name = sized_name("sqn:gamma=0.0", size, seed)
            result = {"metrics": {"reward_per_user": reward_of(size, seed) - 0.5 - 0.01 * seed}}
            write_json(folder.path(name), {"task": name, "fingerprint": folder.fingerprint, "result": result})
    summary = report(folder, ["sqn", "sqn:gamma=0.0"], SIZES, SEEDS)
    row = lookup(summary["rows"])["sqn, logging 1000", "reward_minus_sqn:gamma=0.0, logging 1000"]
    half = stats.t.ppf(0.975, 2) * 0.01 / np.sqrt(3)
    assert [row["value"], row["lower"], row["upper"]] == pytest.approx([0.51, 0.51 - half, 0.51 + half])
    texts = [finding["text"] for finding in summary["findings"] if finding["shown"]]
    assert texts[0] == "SQN closes of the gap: 30% [18, 42] from 1,000, 55% [43, 67] from 10,000 decisions."
    assert texts[2].startswith(
        "SQN from 1,000 decisions earns more than SQN gamma=0.0 from 1,000 decisions: 0.51"
    )
    assert len(texts) == 4


def test_it_writes_a_row_per_seed_and_a_figure(folder):
    report(folder, ["sqn"], SIZES, SEEDS)
    with open(folder.folder / "per_seed.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["agent"], row["log_decisions"], row["seed"]) for row in rows[:2]] == [
        ("sqn", "1000", "0"),
        ("sqn", "1000", "1"),
    ]
    assert len(rows) == 9
    assert (folder.folder / "learning_curve.png").stat().st_size > 1_000


def test_the_table_names_sizes_and_shares(folder):
    console = Console(width=130, record=True, file=io.StringIO())
    console.print(curve_table(report(folder, ["sqn"], SIZES, SEEDS)))
    printed = console.export_text()
    for words in ("SQN", "10,000", "55 %", "logging policy", "25 %"):
        assert words in printed
