"""NUMBA_DISABLE_JIT=1: the same functions as plain Python, with the same bits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.small_worlds import MODELS, fingerprint, serve, small_world

ROOT = Path(__file__).parents[2]
USERS = [0, 1, 2**35, 77]
STEPS = 3
WORLDS = [(slate_size, model) for slate_size in (1, 4) for model in MODELS]

CHILD = """
import json, sys
import numba
from tests.invariance.test_without_compiler import answers
assert numba.config.DISABLE_JIT
print(json.dumps(answers()))
"""


def answers():
    """What happened, exactly, and every bit of it as a hash."""
    found = {}
    for slate_size, model in WORLDS:
        served = serve(small_world(slate_size, model), USERS, STEPS)
        found[f"{slate_size} {model}"] = {
            "history": served.states["history_items"].tolist(),
            "events": served.states["last_events"].tolist(),
            "steps": served.states["step"].tolist(),
            "ended": served.states["ended"].tolist(),
            "reward": served.outcomes["reward"].tolist(),
            "interest": served.states["interest"].astype(float).tolist(),
            "bits": fingerprint(served),
        }
    return found


def test_plain_python_gives_the_same_bits():
    compiled = answers()
    command = [sys.executable, "-W", "error", "-c", CHILD]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    plain = json.loads(done.stdout)
    assert plain.keys() == compiled.keys()
    for name, values in compiled.items():
        for key in ("history", "events", "steps", "ended", "reward"):
            assert plain[name][key] == values[key], (name, key)
        np.testing.assert_allclose(plain[name]["interest"], values["interest"], atol=1e-6)
        assert plain[name]["bits"] == values["bits"], name


def test_blank_positions_need_no_compiler():
    """A slate that repeats an item is served as compiled code serves it: without a word."""
    code = (
        "import numpy as np; from tests.small_worlds import *; world = small_world(4); "
        "states, _ = fresh_states(world, [0, 1]); world.step(0, states, np.full((2, 4), 7)); "
        "print(states['last_events'].tolist())"
    )
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not np.array(json.loads(done.stdout))[:, 1:].any()
