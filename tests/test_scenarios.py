"""The named worlds: registered, and what each is for holds."""

import gymnasium
import numpy as np
import pytest

from recsim_env import SCENARIOS, World, get_scenario
from recsim_env.truth import item_truth, myopic_slates
from tests.small_worlds import fresh_states

IDS = [scenario.id for scenario in SCENARIOS.values()]


@pytest.mark.parametrize("env_id", IDS)
def test_registered_with_their_horizon_and_natively_as_a_batch(env_id):
    spec = gymnasium.spec(env_id)
    scenario = get_scenario(env_id)
    assert spec.max_episode_steps == scenario.max_episode_steps
    assert not spec.nondeterministic
    assert isinstance(spec.entry_point, str)
    assert isinstance(spec.vector_entry_point, str)
    assert gymnasium.make(env_id).unwrapped.world.config == scenario.config


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=list(SCENARIOS))
def test_scenarios_know_their_name_and_purpose(scenario):
    assert get_scenario(scenario.name) is get_scenario(scenario.id) is scenario
    assert get_scenario(f"recsim_env:{scenario.id}") is scenario
    assert scenario.purpose.endswith(".")


def after_some_steps(world, states, item, steps=4):
    """The users after being shown the same items, whatever they did."""
    states = states.copy()
    for step in range(steps):
        shown = (item + step) % world.config.catalog.num_items
        world.step(0, states, np.full((len(states), 1), shown), idle=states["ended"].copy())
    return states


def test_memoryless_nothing_that_is_shown_changes_what_users_want_or_when_they_leave():
    """Then the myopic oracle is optimal: its future does not depend on what it shows."""
    world = World(get_scenario("Memoryless-v0").config)
    states, _ = fresh_states(world, np.arange(300))
    first, second = (after_some_steps(world, states, item) for item in (0, 500))
    for name in ("interest", "patience", "step", "ended"):
        np.testing.assert_array_equal(first[name], second[name])
    truths = [item_truth(world, after).expected_reward for after in (first, second)]
    np.testing.assert_array_equal(*truths)


def test_storefront_what_is_shown_changes_users():
    world = World(get_scenario("Storefront-v0").config)
    states, _ = fresh_states(world, np.arange(300))
    best = myopic_slates(world, states)[:, 0]
    pleased, bored = states.copy(), states.copy()
    world.step(0, pleased, best[:, None])
    world.step(0, bored, np.roll(best, 1)[:, None])
    for name in ("interest", "patience", "satiation", "satisfaction"):
        assert (pleased[name] != bored[name]).any(), name


AS_SHORT_AS_REAL = {"StorefrontCalibrated-v0": 2}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=list(SCENARIOS))
def test_sessions_are_long_enough_to_learn_from_and_end_before_the_horizon(scenario):
    """Even under random slates, half of the users stay for more than a handful of steps.

    Where sessions are as short as real ones on purpose, for two.
    """
    world = World(scenario.config)
    states, _ = fresh_states(world, np.arange(1_000))
    generator = np.random.default_rng(0)
    size = world.config.slate_size
    for _ in range(scenario.max_episode_steps):
        slates = generator.integers(0, world.config.catalog.num_items, (1_000, size))
        world.step(0, states, slates, idle=states["ended"].copy())
    assert np.median(states["step"]) >= AS_SHORT_AS_REAL.get(scenario.name, 6)
    if scenario.config.session.step_cost > 0.01:  # else only the horizon ends a session
        assert states["ended"].mean() > 0.8
