"""A world without an interface around it: what it refuses, and how it finds it."""

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

from recsim_env import World, get_scenario
from recsim_env.actions import find_invalid
from recsim_env.kernel import drivers
from recsim_env.scenarios import SCENARIOS
from recsim_env.truth import slate_truth
from tests.small_worlds import fresh_states, small_world


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_outside_the_streams_is_named(seed):
    world = small_world(1)
    states, _ = fresh_states(world, np.arange(2))
    with pytest.raises(ValueError, match=r"seed: expected an integer in \[0, 2\^64\), got -?\d+"):
        world.step(seed, states, np.zeros((2, 1), np.int64))
    rows = np.arange(2)
    with pytest.raises(ValueError, match="seed: expected"):
        world.reset(seed, states, rows, rows, np.zeros(2, np.int64))


@pytest.mark.parametrize("bad", [-1, 60, 2**40, -(2**40)])
@pytest.mark.parametrize("parallel", [False, True])
def test_the_first_item_outside_the_catalog_is_found(bad, parallel):
    world = small_world(4)
    slates = np.tile([3, 1, 4, 15], (5_000, 1))
    assert find_invalid(world, slates, parallel=parallel) is None
    for row, position in ((4_999, 3), (2_500, 0), (130, 2), (0, 1)):  # each earlier than the last
        slates[row, position] = bad
        assert find_invalid(world, slates, parallel=parallel) == (row, position)


@pytest.mark.parametrize("size", [2, 3, 8, 9, 17, 40])
def test_every_pair_of_positions_is_compared(size):
    world = small_world(size)
    rng = np.random.default_rng(size)
    pairs = [(i, j) for j in range(size) for i in range(j)]
    slates = np.array([rng.permutation(60)[:size] for _ in pairs])
    assert find_invalid(world, slates) is None
    for row, (i, j) in enumerate(pairs):
        repeated = slates[row : row + 1].copy()
        repeated[0, j] = repeated[0, i]
        assert find_invalid(world, repeated) == (0, j)
        assert find_invalid(world, repeated, allow_repeats=True) is None


def test_a_world_wants_a_config():
    with pytest.raises(TypeError, match="World: config: expected WorldConfig, got dict"):
        World({})


def compiled_for(world):
    """The records whose sizes the kernel is compiled for."""
    return world.params.dtype, world.items.dtype, world.state_dtype, world.empty_scratch().dtype


def test_positions_weigh_as_much_as_they_are_examined():
    assert small_world(1).position_weight is None
    curve = small_world(4, choice={"position_exponent": 0.5}).position_weight
    np.testing.assert_allclose(curve, 1 / np.sqrt([1, 2, 3, 4]), rtol=1e-6)


@pytest.mark.parametrize("name", sorted(set(SCENARIOS) - {"Tiny-v0"}))
def test_scenarios_with_slates_of_one_size_share_what_is_compiled(name):
    config = get_scenario(name).config
    other = get_scenario("Storefront-v0").config.replace(slate_size=config.slate_size)
    assert compiled_for(World(config)) == compiled_for(World(other))


@pytest.mark.skipif(not isinstance(drivers.step_users, Dispatcher), reason="nothing is compiled")
def test_a_sliced_slate_compiles_nothing_new():
    world = small_world(4)
    states, _ = fresh_states(world, np.arange(3))
    slates = np.arange(24).reshape(3, 8)
    answers = []
    for shown in (slates[:, :4].copy(), slates[:, :4]):
        own = states.copy()
        expected = slate_truth(world, own, shown).expected_reward
        outcomes, _ = world.step(0, own, shown)
        known = {one: set(one.signatures) for one in (drivers.step_users, drivers.slate_truth_users)}
        answers.append((outcomes["reward"].tolist(), expected.tolist(), known))
    assert answers[0] == answers[1]
