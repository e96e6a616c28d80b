"""Configs: frozen, checked when made, and the same after a trip through JSON."""

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsim_env import (
    CatalogConfig,
    ChoiceConfig,
    PopulationConfig,
    PreferenceConfig,
    RewardConfig,
    SessionConfig,
    WorldConfig,
    get_scenario,
)
from recsim_env.config import FunnelConfig
from recsim_env.streams import MAX_SEED
from tests.small_worlds import configs, small_config

SECTIONS = (
    CatalogConfig,
    PopulationConfig,
    ChoiceConfig,
    FunnelConfig,
    PreferenceConfig,
    SessionConfig,
    RewardConfig,
)
NUMBERS = [
    (section, spec)
    for section in (*SECTIONS, WorldConfig)
    for spec in dataclasses.fields(section)
    if "low" in spec.metadata
]
IDS = [f"{section.__name__}.{spec.name}" for section, spec in NUMBERS]


@given(configs(), st.integers(0, MAX_SEED))
def test_json_round_trip(config, seed):
    config = config.replace(catalog={"seed": seed})
    again = WorldConfig.from_json(config.to_json())
    assert again == config
    assert hash(again) == hash(config)
    assert again.to_json() == config.to_json()


def test_json_names_every_field_and_its_schema():
    values = json.loads(small_config().to_json())
    assert values.pop("config_schema") == 1
    for spec in dataclasses.fields(WorldConfig):
        value = values.pop(spec.name)
        if dataclasses.is_dataclass(spec.default_factory):
            assert list(value) == [field.name for field in dataclasses.fields(spec.default_factory)]
    assert values == {}


@pytest.mark.parametrize("text", ["[]", "3", "{}", '{"config_schema": 99}', '{"config_schema": "1"}'])
def test_json_of_something_else_is_refused(text):
    with pytest.raises(ValueError, match=r"WorldConfig\.from_json: expected"):
        WorldConfig.from_json(text)


def test_json_is_checked_like_everything_else():
    with pytest.raises(ValueError, match=r"RewardConfig\.click: expected a number in .* got nan"):
        WorldConfig.from_json('{"config_schema": 1, "reward": {"click": NaN}}')
    with pytest.raises(ValueError, match=r"WorldConfig: unknown field 'rewards'; did you mean 'reward'"):
        WorldConfig.from_json('{"config_schema": 1, "rewards": {"click": 1.0}}')
    with pytest.raises(TypeError, match=r"RewardConfig\.click: .* got 'much' of type str"):
        WorldConfig.from_json('{"config_schema": 1, "reward": {"click": "much"}}')


@pytest.mark.parametrize("section", [*SECTIONS, WorldConfig])
def test_frozen(section):
    config = section()
    for spec in dataclasses.fields(section):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(config, spec.name, getattr(config, spec.name))


@pytest.mark.parametrize(("section", "spec"), NUMBERS, ids=IDS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_what_is_not_finite_is_refused(section, spec, value):
    with pytest.raises(ValueError, match=rf"{section.__name__}\.{spec.name}: expected .* in \[.*got"):
        section(**{spec.name: value})


@pytest.mark.parametrize(("section", "spec"), NUMBERS, ids=IDS)
@pytest.mark.parametrize("value", ["0.5", None, True, [1], np.zeros(2), np.zeros(1), 1j])
def test_what_is_not_a_number_is_refused(section, spec, value):
    with pytest.raises(TypeError, match=rf"{section.__name__}\.{spec.name}: expected .* got .* of type"):
        section(**{spec.name: value})


@pytest.mark.parametrize(("section", "spec"), NUMBERS, ids=IDS)
def test_just_outside_the_bounds_is_refused(section, spec):
    step = 1 if spec.metadata["type"] is int else 1e-3
    for bound, outside in ((spec.metadata["low"], -step), (spec.metadata["high"], step)):
        if math.isfinite(bound):
            value = bound + outside * max(1, abs(bound))
            with pytest.raises(ValueError, match=rf"{section.__name__}\.{spec.name}: expected .*got"):
                section(**{spec.name: value})


@pytest.mark.parametrize(("section", "spec"), NUMBERS, ids=IDS)
def test_numpy_numbers_become_plain_ones(section, spec):
    kind, default = spec.metadata["type"], spec.default
    value = getattr(section(**{spec.name: np.asarray(default)[()]}), spec.name)
    assert type(value) is kind
    assert value == default


@pytest.mark.parametrize(("section", "spec"), NUMBERS, ids=IDS)
def test_a_fraction_is_no_whole_number(section, spec):
    if spec.metadata["type"] is int:
        with pytest.raises(ValueError, match="expected an integer"):
            section(**{spec.name: spec.default + 0.5})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: PopulationConfig(cold_share=-0.1),
            r"PopulationConfig\.cold_share: .*\[0\.0, 1\.0\], got -0\.1",
        ),
        (
            lambda: PopulationConfig(organic_min=6, organic_max=5),
            r"organic_min: expected at most organic_max=5, got 6",
        ),
        (lambda: CatalogConfig(embedding_dim=6), r"embedding_dim: expected a multiple of 4, got 6"),
        (lambda: ChoiceConfig(model="logti"), r"ChoiceConfig\.model: got 'logti'; did you mean 'logit'"),
        (lambda: ChoiceConfig(model=3), r"ChoiceConfig\.model: got 3; valid names: cascade, logit, position"),
        (
            lambda: WorldConfig(slate_size=20, catalog=CatalogConfig(num_items=10)),
            r"slate_size: expected at most .*=10",
        ),
        (
            lambda: WorldConfig().replace(reward={"clik": 1}),
            r"RewardConfig: unknown field 'clik'; did you mean 'click'",
        ),
        (
            lambda: WorldConfig().replace(rewards={}),
            r"WorldConfig: unknown field 'rewards'; did you mean 'reward'",
        ),
        (lambda: WorldConfig().replace(slate_size=0), r"WorldConfig\.slate_size: .*got 0"),
        (lambda: WorldConfig.from_dict({"session": {"cost": 1}}), r"SessionConfig: unknown field 'cost'"),
        (
            lambda: get_scenario("Storefrnt-v0"),
            r"unknown scenario 'Storefrnt-v0'; did you mean 'Storefront-v0'",
        ),
    ],
)
def test_errors_name_the_field_what_was_expected_and_what_came(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("value", [{"click": 1.0}, None, CatalogConfig(), RewardConfig])
def test_a_section_must_be_its_config(value):
    with pytest.raises(TypeError, match=r"WorldConfig\.reward: expected RewardConfig, got"):
        WorldConfig(reward=value)


def test_replace_takes_a_section_or_some_of_its_fields_and_leaves_the_original():
    config = small_config()
    first = config.replace(reward={"purchase": 2.0}, slate_size=1)
    second = config.replace(reward=config.reward.replace(purchase=2.0), slate_size=1)
    assert first == second
    assert (first.reward.purchase, first.reward.click) == (2.0, config.reward.click)
    assert config == small_config()


def test_configs_are_values():
    assert small_config() == small_config()
    assert len({small_config(), small_config(), small_config(1)}) == 2
