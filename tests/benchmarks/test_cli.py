import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.choices import find_agents, find_scenario, parse_sizes
from benchmarks.cli import app
from benchmarks.errors import UsageError
from recsim_env import get_scenario

ROOT = Path(__file__).parents[2]


def invoke(*arguments):
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200", "TERM": "dumb"})


def test_python_m_benchmarks_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for command in (
        "compare",
        "learning-curve",
        "headroom",
        "throughput",
        "train",
        "evaluate",
        "agent-cost",
        "facts",
        "scenarios",
        "watch",
        "simulate",
        "ope",
    ):
        assert command in done.stdout


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (
            "compare",
            (
                "--scenario",
                "--agents",
                "--seeds",
                "--quick",
                "--full",
                "--out",
                "--jobs",
                "--json",
                "--overwrite",
            ),
        ),
        (
            "learning-curve",
            ("--scenario", "--agents", "--sizes", "--seeds", "--out", "--jobs", "--json", "--overwrite"),
        ),
        ("headroom", ("--scenario", "--users", "--seed", "--out", "--jobs", "--json", "--overwrite")),
        (
            "throughput",
            ("--catalogs", "--slates", "--batches", "--repeats", "--peer-python", "--out", "--json"),
        ),
        ("facts", ("--policy", "--users", "--seed", "--popularity-clicks", "--data", "--json")),
        ("scenarios", ("--json",)),
        (
            "train",
            (
                "AGENT",
                "--log",
                "--scenario",
                "--decisions",
                "--seed",
                "--out",
                "--set",
                "--settings",
                "--held-out",
                "--patience",
                "--device",
                "--resume",
                "--tensorboard",
                "--json",
            ),
        ),
        ("evaluate", ("FOLDER", "--scenario", "--users", "--seed", "--json")),
        ("agent-cost", ("--agents", "--catalogs", "--seconds", "--json")),
        (
            "simulate",
            (
                "SCENARIO",
                "--policy",
                "--users",
                "--seed",
                "--steps",
                "--partition-users",
                "--probabilities",
                "--out",
                "--json",
            ),
        ),
        ("watch", ("SCENARIO", "--agent", "--user", "--seed", "--steps", "--out", "--json")),
        (
            "ope",
            (
                "LOG",
                "--policy",
                "--logging",
                "--estimators",
                "--discount",
                "--served",
                "--study",
                "--quick",
                "--full",
                "--out",
                "--jobs",
                "--json",
                "--overwrite",
            ),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "options",
)
def test_help_names_every_option(command, options):
    result = invoke(command, "--help")
    assert result.exit_code == 0
    printed = re.sub(r"\x1b\[[0-9;]*m", "", result.output)
    for option in options:
        assert option in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare", "--scenario", "Storefont-v0"), "did you mean 'Storefront-v0'"),
        (("compare", "--agents", "sqm"), "unknown agent 'sqm'; did you mean 'sqn'"),
        (("compare", "--scenario", "StorefrontSlate-v0", "--agents", "dqn"), "recommends single items"),
        (
            ("compare", "--scenario", "StorefrontSlate-v0", "--agents", "bootstrapped"),
            "recommends single items",
        ),
        (("compare", "--scenario", "TwoStage-v0", "--agents", "sqn"), "learns where all items can be chosen"),
        (("compare", "--scenario", "TwoStage-v0", "--agents", "item-knn"), "at most 20,000 items"),
        (("learning-curve", "--agents", "dqn"), "does not learn from logs"),
        (("learning-curve", "--sizes", "20k,many"), "got 'many'"),
        (("learning-curve", "--scenario", "TwoStage-v0"), "none can learn in this scenario"),
        (("compare", "--engine", "serial", "--jobs", "2"), "--jobs counts processes of this machine"),
        (
            ("ope", "log", "--policy", "popular", "--engine", "serial"),
            "--engine is for --study, not for a LOG",
        ),
        (("ope", "--study", "--discount", "0.5"), "--discount is for a LOG, not for --study"),
        (("deploy", "--study", "--users", "500"), "--users is for a deployment, not for --study"),
        (("deploy", "--seeds", "2", "--no-ramp"), "--ramp is for one deployment, not for --seeds"),
        (("deploy", "--quick"), "--full is for --study"),
        (("throughput", "--batches", "-1"), "whole numbers from 0 on"),
        (("headroom", "--scenario", "Memoryles-v0"), "did you mean 'Memoryless-v0'"),
        (("simulate", "Storefont-v0"), "did you mean 'Storefront-v0'"),
        (("simulate", "Tiny-v0", "--policy", "unifrom"), "did you mean 'uniform'"),
        (("simulate", "Tiny-v0", "--policy", "softmax:temp=1"), "unknown setting 'temp'; expected one of"),
        (("simulate", "Tiny-v0", "--policy", "greedy:epsilon=1"), "unknown setting 'epsilon'"),
        (("simulate", "Tiny-v0", "--policy", "softmax:temperature=x"), "expected a number, got 'x'"),
        (("simulate", "Tiny-v0", "--users", "-4"), "whole numbers from 1 on"),
        (("simulate", "Tiny-v0", "--hours", "8"), "--hours: expected two hours such as 168:336, got '8'"),
        (("simulate", "Tiny-v0", "--hours", "0:8"), "--hours: the world has no run"),
        (("simulate", "Tiny-v0", "--partition-users", "100"), "expected a multiple of 4096, got 100"),
        (("simulate", "Tiny-v0", "--policy", "popular", "--probabilities"), "does not state the probability"),
    ],
    ids=[
        "scenario",
        "agent",
        "slates",
        "slates-too",
        "two-stage",
        "many-items",
        "online",
        "sizes",
        "no-learner",
        "serial-jobs",
        "log-engine",
        "study-discount",
        "study-users",
        "seeds-ramp",
        "no-study",
        "batches",
        "scenarios",
        "log-scenario",
        "policy",
        "setting",
        "no-setting",
        "number",
        "users",
        "hours",
        "hours-no-run",
        "partition",
        "probabilities",
    ],
)
def test_mistakes_are_one_clear_error(arguments, message, tmp_path):
    result = invoke(*arguments, "--out", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "out" / "tasks").exists()


@pytest.mark.parametrize("command", ["compare", "learning-curve", "headroom", "throughput", "simulate"])
def test_an_unwritable_folder_is_refused_before_any_work(command, tmp_path):
    (tmp_path / "file").write_text("")
    scenario = ["Tiny-v0"] if command == "simulate" else []
    result = invoke(command, *scenario, "--out", str(tmp_path / "file" / "out"))
    assert result.exit_code == 2
    assert "cannot write to the folder" in result.output


def test_an_unwritable_json_path_is_refused_before_any_work(tmp_path):
    result = invoke("compare", "--out", str(tmp_path / "out"), "--json", str(tmp_path))
    assert result.exit_code == 2
    assert "is a folder" in result.output
    assert not (tmp_path / "out").exists()


def test_a_foreign_agents_package_is_named(monkeypatch, tmp_path):
    foreign = types.ModuleType("agents")
    foreign.__file__ = "/somewhere/agents/__init__.py"
    monkeypatch.setitem(sys.modules, "agents", foreign)
    result = invoke("compare", "--out", str(tmp_path))
    assert result.exit_code == 2
    assert "another project's package, at /somewhere/agents/__init__.py" in result.output


def test_a_peer_python_without_the_peer_is_an_error(tmp_path):
    result = invoke("throughput", "--out", str(tmp_path), "--peer-python", "/nowhere/python")
    assert result.exit_code == 2
    assert "--peer-python" in result.output


def test_references_always_take_part():
    single = get_scenario("Storefront-v0").config
    assert find_agents("sqn,sqn", single) == ["random", "popular", "logging", "myopic", "sqn"]
    assert "dqn" in find_agents(None, single)
    assert "dqn" not in find_agents(None, get_scenario("StorefrontSlate-v0").config)


def test_scenarios_with_and_without_their_namespace():
    assert (
        find_scenario("Memoryless-v0")
        == find_scenario("recsim_env/Memoryless-v0")
        == "recsim_env/Memoryless-v0"
    )


def test_sizes():
    assert parse_sizes("--sizes", "2m, 20k,1_500,20k", 1_000) == [1_500, 20_000, 2_000_000]
    for bad in ("999", "1.5k", "", "k"):
        with pytest.raises(UsageError, match="--sizes"):
            parse_sizes("--sizes", bad, 1_000)
