"""Small worlds and a short log of each, made once.

Few items, but the sizes that the registered scenarios have otherwise: the compiled kernel is then theirs.
"""

from __future__ import annotations

import numpy as np
import pytest

from agents import LoggingPolicy
from recsim_env import World, WorldConfig
from recsim_env.event_log import collect_log

MAX_STEPS = 20
CATALOG = {"num_items": 60}


@pytest.fixture(scope="session")
def world():
    """Single items from 60."""
    return World(WorldConfig().replace(catalog=CATALOG))


@pytest.fixture(scope="session")
def slate_world():
    """Slates of 10, with several clicks possible."""
    return World(WorldConfig().replace(catalog=CATALOG, slate_size=10, choice={"model": "position"}))


@pytest.fixture(scope="session")
def log(world):
    return collect_log(world, LoggingPolicy(world.public_catalog), 3_000, seed=1, max_steps=MAX_STEPS)


@pytest.fixture(scope="session")
def slate_log(slate_world):
    policy = LoggingPolicy(slate_world.public_catalog, 10)
    return collect_log(slate_world, policy, 3_000, seed=1, max_steps=MAX_STEPS)


@pytest.fixture(scope="session")
def observation(log):
    """A batch of 50 observations of the single-item world."""
    return log.observation(np.arange(50))


@pytest.fixture(scope="session")
def slate_observation(slate_log):
    return slate_log.observation(np.arange(50))
