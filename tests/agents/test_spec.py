"""Observations and catalogs of another scenario are refused, and the message says where."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from gymnasium import spaces

from agents.spec import ObservationSpec, catalog_fingerprint, check_catalog
from recsim_env import get_scenario
from recsim_env.interface import observation_space

SPEC = ObservationSpec(num_items=60, history_length=10, slate_size=1, num_segments=4)


@pytest.mark.parametrize("name", ["Storefront-v0", "StorefrontSlate-v0", "Memoryless-v0"])
def test_sizes_are_read_from_the_space_and_give_it_back(name):
    config = get_scenario(name).config
    space = observation_space(config)
    spec = ObservationSpec.from_space(space)
    assert spec.observation_space() == space
    assert (spec.num_items, spec.slate_size) == (config.catalog.num_items, config.slate_size)


RUN = {"run": {"run_hours": 100.0}}
RETURNS = {"returns": {"lifetime_hours": 50.0}}
CANDIDATES = {"candidates": {"num_candidates": 20}}


@pytest.mark.parametrize("overrides", [RUN, RETURNS, CANDIDATES, {**RUN, **RETURNS, **CANDIDATES}])
def test_every_kind_of_world_has_its_keys(overrides):
    config = get_scenario("Storefront-v0").config.replace(**overrides)
    space = observation_space(config)
    spec = ObservationSpec.from_space(space)
    assert spec.observation_space() == space
    assert list(spec.observation_space()) == list(space)
    assert spec.num_candidates == config.candidates.num_candidates
    assert (spec.has_hour, spec.has_hours_away) == ("run" in overrides, "returns" in overrides)


def test_hours_may_be_missing_and_candidates_only_in_plain_worlds(observation):
    hours = dataclasses.replace(SPEC, has_hour=True, has_hours_away=True)
    hours.check(observation)
    with pytest.raises(
        ValueError, match=r"observation\['hour'\]\[1, 0\]: expected in \[0, 2147483647\], got -3"
    ):
        hours.check({**observation, "hour": np.where(np.arange(50) == 1, -3, 0)[:, None]})
    two_stage = dataclasses.replace(SPEC, num_candidates=3)
    candidates = np.tile([4, 60, 5], (50, 1))
    two_stage.check({**observation, "candidates": candidates})
    SPEC.check({**observation, "candidates": candidates})
    with pytest.raises(KeyError, match="'candidates' is missing"):
        two_stage.check(observation)
    with pytest.raises(ValueError, match=r"candidates.*expected shape \[B, 3\], got \[50, 2\]"):
        two_stage.check({**observation, "candidates": candidates[:, 1:]})


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
    with pytest.raises(ValueError, match=r"num_candidates: expected in \[0, num_items=5\], got 6"):
        ObservationSpec(5, 1, 1, 1, 6)


def test_a_catalog_is_known_by_its_content(world):
    catalog = world.public_catalog
    fingerprint = catalog_fingerprint(catalog)
    check_catalog(catalog._replace(price=catalog.price.copy()), fingerprint)
    dated = catalog._replace(born=np.zeros(60, np.int64), gone=np.full(60, 5))
    assert catalog_fingerprint(dated) != fingerprint
    check_catalog(dated._replace(gone=dated.gone.copy()), catalog_fingerprint(dated))
    with pytest.raises(ValueError, match="fingerprint"):
        check_catalog(dated._replace(gone=dated.gone + 1), catalog_fingerprint(dated))
    dearer = catalog._replace(price=catalog.price * np.float32(1.5))
    with pytest.raises(ValueError, match=f"made for the catalog {fingerprint}"):
        check_catalog(dearer, fingerprint)
