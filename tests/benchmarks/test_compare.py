import csv
import io
import json

import numpy as np
import pytest
from rich.console import Console

from agents import Popular
from benchmarks import compare as module
from benchmarks.compare import Preset, compare
from benchmarks.errors import UsageError
from benchmarks.experiment import HELD_OUT_SEED, Experiment, score_agent, serve_held_out
from benchmarks.rows import lookup
from benchmarks.summary import REFERENCES
from tests.small_worlds import small_world

SMALL = Preset(num_seeds=2, log_decisions=1_500, online_decisions=500, online_users=16, eval_users=60)
AGENTS = {*REFERENCES, "sqn"}
FIRST_SEED = 1_000


def small_compare(out, **changes):
    console = Console(width=130, record=True, quiet=True)
    arguments = {
        "scenario": "Storefront-v0",
        "agents": "sqn",
        "num_seeds": None,
        "first_seed": FIRST_SEED,
        "preset": "quick",
        "out": out,
        "jobs": 1,
        "overwrite": False,
        "json_path": None,
        "console": console,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in module.PRESETS:
            patch.setitem(module.PRESETS, name, SMALL)
        return compare(**(arguments | changes))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One small comparison: its folder, its summary, and what it printed."""
    out = tmp_path_factory.mktemp("compare")
    console = Console(width=130, record=True, file=open(out / "printed", "w"))  # noqa: SIM115
    with console.file:
        summary = small_compare(out, console=console, json_path=out / "rows.json")
        return out, summary, console.export_text()


def test_it_prints_every_agent_and_writes_every_file(run):
    out, summary, printed = run
    assert set(summary["agents"]) == AGENTS
    for words in (
        "myopic oracle",
        "logging policy",
        "SQN",
        "popular",
        "random",
        "gap closed",
        "exposure Gini",
    ):
        assert words in printed
    names = {path.name for path in out.iterdir()}
    figures = {
        f"{name}.{kind}"
        for name in ("cumulative_reward", "exploration", "exposure")
        for kind in ("png", "svg")
    }
    assert (
        figures | {"per_seed.csv", "summary.json", "tables.txt", "settings.json", "tasks", "rows.json"}
        <= names
    )
    assert len(list((out / "tasks").iterdir())) == 2 * len(AGENTS)


def test_the_csv_has_one_row_per_agent_and_seed(run):
    out, _, _ = run
    with open(out / "per_seed.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["agent"], row["seed"]) for row in rows} == {
        (a, str(s)) for a in AGENTS for s in (1000, 1001)
    }
    shares = {row["agent"]: float(row["gap_share"]) for row in rows}
    assert shares["random"] == 0.0
    assert shares["myopic"] == 1.0


def test_json_rows_are_what_the_csv_averages_to(run):
    out, summary, _ = run
    saved = json.loads((out / "rows.json").read_text())
    assert saved["rows"] == summary["rows"]
    assert saved["provenance"]["stream_version"] >= 1
    with open(out / "per_seed.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for metric in ("reward_per_user", "gap_share", "tail_share"):
        mine = [float(row[metric]) for row in rows if row["agent"] == "sqn"]
        reported = lookup(saved["rows"])["sqn", metric]
        assert (reported["experiment"], reported["scenario"]) == ("compare", "Storefront-v0")
        assert reported["value"] == pytest.approx(np.mean(mine))
        assert reported["seeds"] == 2


def test_the_summary_says_where_it_comes_from(run):
    out, summary, _ = run
    settings = summary["settings"]
    assert settings["scenario"] == "recsim_env/Storefront-v0"
    assert settings["held_out_seed"] == HELD_OUT_SEED
    assert settings["world"]["catalog"]["num_items"] == settings["num_items"] == 1_000
    assert summary["seeds"] == [1000, 1001]
    assert json.loads((out / "settings.json").read_text()) == settings
    task = json.loads((out / "tasks" / "sqn-seed-1000.json").read_text())
    assert task["provenance"] == summary["provenance"]


def test_the_same_command_computes_nothing_again(run):
    out, summary, _ = run
    before = {path: path.stat().st_mtime_ns for path in (out / "tasks").iterdir()}
    assert small_compare(out)["rows"] == summary["rows"]
    assert {path: path.stat().st_mtime_ns for path in (out / "tasks").iterdir()} == before


def test_another_scenario_is_refused(run):
    out, _, _ = run
    with pytest.raises(UsageError, match=r"other settings .*--overwrite"):
        small_compare(out, scenario="Memoryless-v0")


def test_a_task_is_a_pure_function_of_its_arguments(run):
    _, summary, _ = run
    experiment = Experiment(summary["settings"]["scenario"], 1_500, 500, 16, 60)
    reported = lookup(summary["rows"])["sqn", "reward_per_user"]
    again = [score_agent(experiment, "sqn", seed, report=lambda _: None) for seed in summary["seeds"]]
    mean = np.mean([result["metrics"]["reward_per_user"] for result in again])
    assert mean == pytest.approx(reported["value"], rel=1e-12)


def test_full_says_what_it_costs_before_it_starts(tmp_path):
    console = Console(width=120, record=True, file=io.StringIO())
    small_compare(tmp_path, preset="full", scenario="Tiny-v0", num_seeds=1, console=console)
    assert console.export_text().startswith("5 tasks, about 0.0 core-hours: 0.0 h on 1 process\n")
    seconds = [module.core_seconds(["sqn", "dqn"], size, size.num_seeds) for size in module.PRESETS.values()]
    assert 10 * seconds[0] < seconds[1]


def test_comparisons_of_slates_have_exposure_by_examination():
    """A ranking shows what is popular on top, where it is seen."""
    world = small_world(4, choice={"position_exponent": 2.0})
    policy = Popular(world.public_catalog, 4)
    card = serve_held_out(world, policy, np.arange(50), 0, 5, lambda done: None).result()
    assert card["examined_average_popularity"] > card["average_popularity"]
    single = small_world(1)
    alone = serve_held_out(
        single, Popular(single.public_catalog), np.arange(50), 0, 5, lambda done: None
    ).result()
    assert "examined_average_popularity" not in alone
