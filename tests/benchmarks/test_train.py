"""`recsim-env train` and `evaluate`: what they make, refuse, resume and print."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agents import SQN, MyopicOracle, RandomPolicy, load_saved
from agents.storage import ARRAYS
from benchmarks import train as training_command
from benchmarks.cli import app
from benchmarks.evaluate import gap_interval, row_of
from recsim_env import World, get_scenario
from recsim_env.event_log import EventLog, LogFolder

ROOT = Path(__file__).parents[2]
SMALL = ("--set", "dim=8", "--set", "batch_size=64", "--set", "epochs=2")
TINY = ("train", "sqn:gamma=0.3", "--scenario", "Tiny-v0", "--decisions", "1k", "--seed", "1000", *SMALL)


def invoke(*arguments):
    return CliRunner().invoke(app, [str(part) for part in arguments], env={"COLUMNS": "200", "TERM": "dumb"})


def weights(folder):
    return (folder / "agent" / ARRAYS).read_bytes()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train") / "sqn"
    result = invoke(*TINY, "--out", folder, "--evaluate-every", 10, "--json", folder.parent / "result.json")
    assert result.exit_code == 0, result.output
    return folder, result.output


def test_a_training_leaves_agent_settings_and_progress(trained):
    folder, printed = trained
    assert sorted(path.name for path in folder.iterdir()) == [
        "agent",
        "progress.jsonl",
        "result.json",
        "settings.json",
    ]
    agent = load_saved(folder / "agent")
    assert isinstance(agent, SQN)
    assert (agent.config.gamma, agent.config.dim, agent.config.epochs) == (0.3, 8, 2.0)
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["config"]["gamma"] == 0.3
    assert settings["data"] == {"scenario": "recsim_env/Tiny-v0", "decisions": 1_000}
    assert settings["training"]["held_out"] == 0.1
    rows = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [10, 20, rows[-1]["total"]]
    assert all({"loss", "held_out_loss", "held_out_return", "held_out_rows"} <= row.keys() for row in rows)
    result = json.loads((folder.parent / "result.json").read_text())
    assert (result["updates"], result["settings"]) == (rows[-1]["step"], settings)
    for text in ("held-out return", "steps/s", "loss", f"recsim-env evaluate {folder}"):
        assert text in printed


def test_the_same_settings_file_makes_the_same_agent(trained, tmp_path):
    folder, _ = trained
    result = invoke(
        "train", "sqn", "--scenario", "Tiny-v0", "--decisions", "1k", "--settings", folder / "settings.json",
        "--out", tmp_path / "again",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert weights(tmp_path / "again") == weights(folder)


def test_what_a_folder_holds_is_respected(trained, tmp_path):
    folder, _ = trained
    again = invoke(*TINY, "--out", folder, "--evaluate-every", 10)
    assert again.exit_code == 2
    assert "holds this training: --resume goes on with it" in again.output
    said = tmp_path / "said.json"
    over = invoke(*TINY, "--out", folder, "--evaluate-every", 10, "--resume", "--json", said)
    assert over.exit_code == 0
    assert json.loads(said.read_text()) == json.loads((folder / "result.json").read_text())
    assert "is over already" in over.output
    other = invoke(*TINY, "--out", folder, "--set", "gamma=0.4", "--resume")
    assert other.exit_code == 2
    assert "holds another training" in other.output


def test_a_cut_run_resumes(trained, tmp_path, monkeypatch):
    folder, _ = trained
    display = training_command.TrainingDisplay

    class Cut(display):
        def update(self, step, total, metrics):
            super().update(step, total, metrics)
            if step == 20:
                raise KeyboardInterrupt

    options = (*TINY, "--evaluate-every", 10, "--checkpoint-every", 5, "--out", tmp_path / "cut")
    monkeypatch.setattr(training_command, "TrainingDisplay", Cut)
    stopped = invoke(*options)
    assert stopped.exit_code == 130
    assert "the same command with --resume goes on" in stopped.output
    assert not (tmp_path / "cut" / "agent").exists()
    monkeypatch.setattr(training_command, "TrainingDisplay", display)
    result = invoke(*options, "--resume")
    assert result.exit_code == 0, result.output
    assert weights(tmp_path / "cut") == weights(folder)
    reports = [
        [{**json.loads(line), "seconds": 0} for line in (place / "progress.jsonl").read_text().splitlines()]
        for place in (folder, tmp_path / "cut")
    ]
    assert reports[0] == reports[1]


def test_a_log_in_a_folder_and_evaluation(tmp_path):
    """The log of a folder, an agent without a network, and the table of both beside random and myopic."""
    made = invoke("simulate", "Tiny-v0", "--users", "200", "--out", tmp_path / "log", "--seed", "1000")
    assert made.exit_code == 0, made.output
    result = invoke("train", "ips", "--log", tmp_path / "log", *SMALL, "--out", tmp_path / "ips")
    assert result.exit_code == 0, result.output
    assert not list((tmp_path / "ips").glob("recsim_env-*"))
    missing = invoke("evaluate", tmp_path / "ips")
    assert missing.exit_code == 2
    assert "give --scenario" in missing.output
    told = invoke(
        "evaluate", tmp_path / "ips", "--scenario", "Tiny-v0", "--users", 50, "--json", tmp_path / "e.json"
    )
    assert told.exit_code == 0, told.output
    assert "held-out users whom no training meets" in told.output
    rows = {row["policy"]: row for row in json.loads((tmp_path / "e.json").read_text())["rows"]}
    assert list(rows) == ["random", "ips", "myopic"]
    assert rows["random"]["gap_share"]["mean"] == pytest.approx(0.0)
    assert rows["myopic"]["gap_share"]["mean"] == pytest.approx(1.0)
    assert rows["ips"]["metrics"]["catalog_coverage"] > 0


def test_evaluation_meets_the_users_of_a_comparison(tmp_path):
    """The random policy's reward is what `compare` reports for it with the same seed and users."""
    from benchmarks.experiment import Experiment, score_agent

    world = World(get_scenario("Tiny-v0").config)
    RandomPolicy(world.config.catalog.num_items, 1, world.public_catalog).save(tmp_path / "random")
    result = invoke(
        "evaluate", tmp_path / "random", "--scenario", "Tiny-v0", "--users", 40, "--seed", 3,
        "--json", tmp_path / "e.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    experiment = Experiment("recsim_env/Tiny-v0", 100, 100, 4, 40)
    scored = score_agent(experiment, "random", 3, lambda _: None)
    row = json.loads((tmp_path / "e.json").read_text())["rows"][0]
    assert row["reward_per_user"]["mean"] == pytest.approx(scored["metrics"]["reward_per_user"])


def test_a_saved_reference_is_told_from_the_reference(tmp_path):
    MyopicOracle(World(get_scenario("Tiny-v0").config)).save(tmp_path / "mine")
    result = invoke(
        "evaluate", tmp_path / "mine", "--scenario", "Tiny-v0", "--users", 40, "--json", tmp_path / "e.json"
    )
    assert result.exit_code == 0, result.output
    rows = {row["policy"]: row for row in json.loads((tmp_path / "e.json").read_text())["rows"]}
    assert list(rows) == ["random", "myopic (saved)", "myopic"]
    assert rows["myopic (saved)"]["reward_per_user"] == rows["myopic"]["reward_per_user"]


def test_gap_and_differences_by_hand():
    floor, ceiling = np.array([0.0, 2.0, 1.0, 1.0]), np.array([4.0, 4.0, 5.0, 3.0])
    halfway = (floor + ceiling) / 2
    assert gap_interval(halfway, floor, ceiling) == pytest.approx({"mean": 0.5, "lower": 0.5, "upper": 0.5})
    assert gap_interval(floor, floor, floor) is None
    served = {"random": {"returns": floor}, "myopic": {"returns": ceiling}, "a": {"returns": halfway}}
    row = row_of("a", {name: {**part, "metrics": {}} for name, part in served.items()})
    # differences 2, 1, 2, 1: mean 1.5, standard error 0.2887, t of 3 degrees of freedom 3.1824
    assert row["minus_random"]["mean"] == 1.5
    assert row["minus_random"]["upper"] == pytest.approx(1.5 + 3.1824 * 0.288675, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "sqm", "--scenario", "Tiny-v0"), "unknown agent 'sqm'; did you mean 'sqn'"),
        (("train", "sqn:gama=0", "--scenario", "Tiny-v0"), "unknown field 'gama'; did you mean 'gamma'"),
        (("train", "sqn:gamma=x", "--scenario", "Tiny-v0"), "gamma: expected a number, got 'x'"),
        (
            ("train", "sqn", "--scenario", "Tiny-v0", "--set", "gamma=7"),
            "gamma: expected in [0, 1), or 1 if episodic, got 7.0",
        ),
        (("train", "sqn", "--scenario", "Tiny-v0", "--set", "gamma"), "--set: expected field=value"),
        (("train", "sqn"), "expected either --log or --scenario"),
        (("train", "dqn", "--log", "nowhere"), "learns from live users: give --scenario"),
        (("train", "random", "--scenario", "Tiny-v0"), "learns nothing: it needs no training"),
        (("train", "sqn", "--log", "nowhere"), "--log: "),
        (
            ("train", "sqn", "--scenario", "Tiny-v0", "--device", "tpu"),
            "expected one such as 'cpu'",
        ),
        (
            ("train", "item-knn", "--scenario", "Tiny-v0", "--patience", "3"),
            "agent 'item-knn' counts, in one go",
        ),
        (
            ("train", "dqn", "--scenario", "Tiny-v0", "--held-out", "0.1"),
            "held_out: expected a whole number of users",
        ),
        (("train", "dqn", "--scenario", "Tiny-v0", "--monitor", "loss"), "the option is for logs"),
        (("train", "sqn", "--scenario", "Tiny-v0", "--settings", "no.json"), "no.json cannot be read"),
        (("evaluate", "nowhere", "--scenario", "Tiny-v0"), "nowhere holds no saved agent"),
    ],
)
def test_mistakes_are_one_clear_error(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert "Traceback" not in result.output


def test_an_agent_of_another_world_is_refused(trained):
    result = invoke("evaluate", trained[0], "--scenario", "LongTermSatisfaction-v0")
    assert result.exit_code == 2
    assert "catalog" in result.output


@pytest.mark.parametrize("name", ["dqn", "linucb"])
def test_a_cut_run_on_live_users_resumes(tmp_path, monkeypatch, name):
    small = ("--set", "dim=8", "--set", "learning_starts=500") if name == "dqn" else ()
    command = ("train", name, "--scenario", "Tiny-v0", "--decisions", "4k", "--seed", "1000", *small)
    options = (*command, "--evaluate-every", 1_000, "--checkpoint-every", 900, "--held-out", 30)
    whole = invoke(*options, "--out", tmp_path / "whole")
    assert whole.exit_code == 0, whole.output
    assert "held-out return" in whole.output
    display = training_command.TrainingDisplay

    class Cut(display):
        def update(self, step, total, metrics):
            super().update(step, total, metrics)
            if step >= 2_000:
                raise KeyboardInterrupt

    monkeypatch.setattr(training_command, "TrainingDisplay", Cut)
    assert invoke(*options, "--out", tmp_path / "cut").exit_code == 130
    monkeypatch.setattr(training_command, "TrainingDisplay", display)
    result = invoke(*options, "--out", tmp_path / "cut", "--resume")
    assert result.exit_code == 0, result.output
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
    looked = [
        {
            row["step"]: row["held_out_return"]
            for row in map(json.loads, (place / "progress.jsonl").read_text().splitlines())
            if "held_out_return" in row
        }
        for place in (tmp_path / "whole", tmp_path / "cut")
    ]
    assert looked[0] == looked[1]
    assert len(looked[0]) == 4


@pytest.mark.slow
def test_a_killed_process_resumes_bit_for_bit(tmp_path):
    """SIGKILL at a moment that nothing chose, again and again; the end is that of a run left alone."""
    made = invoke("simulate", "Tiny-v0", "--users", "2k", "--out", tmp_path / "log", "--seed", "1000")
    assert made.exit_code == 0, made.output
    command = [
        sys.executable, "-m", "benchmarks", "train", "sqn", "--log", str(tmp_path / "log"), "--set", "dim=16",
        "--set", "epochs=20", "--checkpoint-every", "20", "--evaluate-every", "100", "--resume", "--out",
    ]  # fmt: skip
    subprocess.run([*command, str(tmp_path / "whole")], cwd=ROOT, check=True, capture_output=True)
    kills = 0
    for attempt in range(20):
        process = subprocess.Popen(
            [*command, str(tmp_path / "cut")],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        waited = time.monotonic()
        while kills < 3 and process.poll() is None and time.monotonic() - waited < 600:
            rows = tmp_path / "cut" / "progress.jsonl"
            if rows.exists() and len(rows.read_text().splitlines()) > 3 * (attempt + 1):
                time.sleep(0.037 * attempt)
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.01)
        if process.wait() == 0:
            break
    assert kills == 3
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")


def test_tensorboard_gets_every_metric(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = invoke(*TINY, "--out", tmp_path / "sqn", "--tensorboard", tmp_path / "board")
    assert result.exit_code == 0, result.output
    events = EventAccumulator(str(tmp_path / "board"))
    events.Reload()
    assert {"loss", "held_out_return", "held_out_loss"} <= set(events.Tags()["scalars"])
    last = json.loads((tmp_path / "sqn" / "progress.jsonl").read_text().splitlines()[-1])
    assert events.Scalars("loss")[-1].step == last["step"]
    assert events.Scalars("loss")[-1].value == pytest.approx(last["loss"])


def test_the_provenance_says_which_world(tmp_path):
    """A log of unknown origin has no catalog to learn with."""
    made = invoke("simulate", "Tiny-v0", "--users", "20", "--out", tmp_path / "log")
    assert made.exit_code == 0, made.output
    log = LogFolder.open(tmp_path / "log").load()
    EventLog.from_columns(log.columns, log.policy, {}).save(tmp_path / "log.parquet")
    result = invoke("train", "sqn", "--log", tmp_path / "log.parquet", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "does not say which world made it" in result.output
