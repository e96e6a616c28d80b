"""The committed trajectories come out again, so that no change of streams or dynamics goes unnoticed."""

import json

import numpy as np
import pytest

from recsim_env import WorldConfig
from recsim_env.streams import STREAM_VERSION
from tests.golden.regenerate import FILE, SEED, USERS, WORLDS, trajectory

GOLDEN = json.loads(FILE.read_text())
HINT = "if this is on purpose: python -m tests.golden.regenerate (and raise STREAM_VERSION if draws changed)"
DISCRETE = ("discrete", "history_items", "history_events", "clicks")


def test_the_file_belongs_to_these_streams_users_and_worlds():
    assert GOLDEN["stream_version"] == STREAM_VERSION
    assert (GOLDEN["users"], GOLDEN["seed"]) == (USERS, SEED)
    assert list(GOLDEN["worlds"]) == list(WORLDS)


@pytest.mark.parametrize("name", WORLDS)
def test_trajectories(name):
    golden = dict(GOLDEN["worlds"][name])
    config = WorldConfig.from_json(json.dumps(golden.pop("config")))
    now = trajectory(config)
    assert now.keys() == golden.keys()
    for key, values in golden.items():
        if key in DISCRETE:
            assert now[key] == values, f"{key}; {HINT}"
        else:
            np.testing.assert_allclose(now[key], values, rtol=1e-5, atol=1e-7, err_msg=f"{key}; {HINT}")
