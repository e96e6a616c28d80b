"""d3rlpy learns from an exported log; it pins another Gymnasium, so it runs in an environment of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from agents import RandomPolicy
from recsim_env import World, get_scenario
from recsim_env.event_log import collect_log
from recsim_env.event_log.exchange import d3rlpy_arrays
from recsim_env.wrappers import HistoryFlattener

SCRIPT = Path(__file__).parents[2] / "docs" / "examples" / "train_d3rlpy.py"


@pytest.mark.slow
def test_a_learner_of_d3rlpy_finds_better_items(tmp_path):
    """Where the uniform policy happened to show held-out users what the learner prefers, they clicked more.

    4 standard errors: 1 of 30,000 learners that know nothing would pass.
    """
    python = os.environ.get("RECSIM_ENV_D3RLPY_PYTHON")
    if not python:
        pytest.skip(
            "no d3rlpy: set RECSIM_ENV_D3RLPY_PYTHON to the interpreter of an environment that has it"
        )
    scenario = get_scenario("Tiny-v0")
    world = World(scenario.config)
    log, held_out = (collect_log(scenario.id, RandomPolicy(6), 15_000, seed=seed) for seed in (0, 1))
    flatten = HistoryFlattener(world)
    np.savez(tmp_path / "arrays.npz", **d3rlpy_arrays(log, flatten))
    np.save(tmp_path / "observations.npy", flatten(held_out.observation()))
    files = [tmp_path / name for name in ("arrays.npz", "observations.npy", "greedy.npy")]
    command = [python, SCRIPT, *files, "--gamma", "0", "--steps", "1500"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stderr
    greedy = np.load(tmp_path / "greedy.npy")
    assert greedy.shape == (len(held_out),)
    agreed = held_out.action[:, 0] == greedy
    better, other = held_out.reward[agreed], held_out.reward[~agreed]
    difference = better.mean() - other.mean()
    error = np.sqrt(better.var() / len(better) + other.var() / len(other))
    assert difference > 4 * error
