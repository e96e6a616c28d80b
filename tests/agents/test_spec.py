"""Observations and catalogs of another scenario are refused, and the message says where."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import recsim_env  # noqa: F401  registers the environments
from agents.spec import ObservationSpec, catalog_fingerprint, check_catalog

SPEC = ObservationSpec(num_items=60, history_length=10, slate_size=1, num_segments=4)


@pytest.mark.parametrize("name", ["Storefront-v0", "StorefrontSlate-v0", "Memoryless-v0"])
def test_sizes_are_read_from_the_space_and_give_it_back(name):
    env = gym.make(f"recsim_env/{name}")
    spec = ObservationSpec.from_space(env.observation_space)
    assert spec.observation_space() == env.observation_space
    config = env.unwrapped.world.config
    assert (spec.num_items, spec.slate_size) == (config.catalog.num_items, config.slate_size)


def test_a_good_observation_passes(observation):
    SPEC.check(observation)
    SPEC.check({key: value[:0] for key, value in observation.items()})


@pytest.mark.parametrize(
    ("key", "row", "value", "message"),
    [
        ("history_items", 3, 61, r"observation\['history_items'\]\[3, 0\]: expected in \[0, 60\], got 61"),
        ("history_events", 2, 8, r"observation\['history_events'\]\[2, 0\]: expected in \[0, 7\], got 8"),
        ("last_slate", 0, -1, r"observation\['last_slate'\]\[0, 0\]: expected in \[0, 60\], got -1"),
        ("segment", 5, 4, r"observation\['segment'\]\[5\]: expected in \[0, 3\], got 4"),
        ("session_step", 1, -2, r"observation\['session_step'\]\[1, 0\]: expected at least 0, got -2"),
    ],
)
def test_the_first_offending_index_is_named(observation, key, row, value, message):
    column = observation[key].copy()
    column.reshape(len(column), -1)[row, 0] = value
    with pytest.raises(ValueError, match=message):
        SPEC.check({**observation, key: column})


def test_missing_keys_and_other_widths(observation):
    with pytest.raises(KeyError, match="'segment' is missing"):
        SPEC.check({key: value for key, value in observation.items() if key != "segment"})
    with pytest.raises(ValueError, match=r"expected shape \[B, 10\], got \[50, 9\]"):
        SPEC.check({**observation, "history_items": observation["history_items"][:, 1:]})


def test_other_spaces_are_refused():
    with pytest.raises(ValueError, match="expected recsim_env's Dict"):
        ObservationSpec.from_space(spaces.Discrete(3))
    with pytest.raises(ValueError, match="num_items: expected at least 1, got 0"):
        ObservationSpec(0, 1, 1, 1)


def test_a_catalog_is_known_by_its_content(world):
    catalog = world.public_catalog
    fingerprint = catalog_fingerprint(catalog)
    check_catalog(catalog._replace(price=catalog.price.copy()), fingerprint)
    dearer = catalog._replace(price=catalog.price * np.float32(1.5))
    with pytest.raises(ValueError, match=f"made for the catalog {fingerprint}"):
        check_catalog(dearer, fingerprint)
