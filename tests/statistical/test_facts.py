"""Measured facts against closed forms, and the calibrated scenario against the ranges it is made for."""

import itertools

import numpy as np
import pytest

from agents import LoggingPolicy, RandomPolicy
from recsim_env import World, get_scenario, rollout
from recsim_env.metrics import FactSheet
from tests.small_worlds import small_world
from tests.statistical.reference import SIGMAS


def measure(world, policy, num_users, seed, max_steps):
    sheet = FactSheet()
    served = rollout(
        world,
        policy,
        np.arange(num_users),
        seed=seed,
        generator=np.random.default_rng(seed),
        max_steps=max_steps,
    )
    for batch in served:
        sheet.update(batch, world.public_catalog.topic)
    return sheet


@pytest.mark.parametrize(("scale", "shape", "cost"), [(3.0, 1.6, 1.0), (8.0, 2.0, 0.5)])
def test_going_on_without_refund_is_a_ratio_of_the_lomax_law(scale, shape, cost):
    """P(continue | n) = ((scale + (n - 1) cost) / (scale + n cost))^shape; each check fails at 6e-5."""
    session = {"patience_scale": scale, "patience_shape": shape, "step_cost": cost, "refund": 0.0}
    world = small_world(1, session=session)
    sheet = measure(world, RandomPolicy(len(world.items), 1), 20_000, seed=5, max_steps=40)
    for depth in (1, 2, 3, 5, 10, 20):
        fact = sheet.sessions.continue_prob(depth)
        expected = ((scale + (depth - 1) * cost) / (scale + depth * cost)) ** shape
        error = np.sqrt(expected * (1 - expected) / fact.num_observations)
        assert abs(fact.value - expected) < SIGMAS * error, depth


def test_under_the_position_model_and_exchangeable_items_the_click_rates_show_examination():
    """c_k / c_0 = e_k within 4 standard errors; each check fails at 6e-5."""
    world = small_world(4, "position")
    sheet = measure(world, RandomPolicy(len(world.items), 4), 20_000, seed=6, max_steps=20)
    clicks = sheet.positions.clicked
    for k in range(1, 4):
        examination = (k + 1) ** -world.config.choice.position_exponent
        error = examination * np.sqrt(1 / clicks[k] + 1 / clicks[0])
        assert abs(sheet.positions.relative_rates()[k] - examination) < SIGMAS * error


RANGES = {
    "session_length_is_1": (0.3, 0.4),
    "continue_1": (0.6, 0.7),
    "continue_2": (0.68, 0.76),
    "continue_5": (0.77, 0.85),
    "like_per_click": (0.01, 0.05),
    "purchase_per_click": (0.01, 0.06),
    "head_slope": (0.4, 0.8),
    "click_per_impression": (0.02, 0.04),
    "click_gini": (0.4, 0.55),
    "position_exponent": (0.4, 0.7),
    "return_gap_p50": (4.0, 12.0),
}


def test_the_calibrated_storefront_shows_the_facts_that_it_is_made_for():
    scenario = get_scenario("StorefrontCalibrated-v0")
    world = World(scenario.config)
    policy = LoggingPolicy(world.public_catalog, scenario.config.slate_size)
    facts = measure(world, policy, 10_000, seed=7, max_steps=scenario.max_episode_steps).result()
    measured = {name: facts[name].value for name in RANGES}
    outside = {
        name: value for name, value in measured.items() if not RANGES[name][0] <= value <= RANGES[name][1]
    }
    assert outside == {}
    assert 4 < facts["return_gap_p75"].value / facts["return_gap_p25"].value < 15
    going_on = [facts[f"continue_{depth}"] for depth in (1, 2, 5, 10)]
    for sooner, later in itertools.pairwise(going_on):
        assert sooner.upper < later.lower, "the probability of going on rises with depth"
    assert scenario.config.choice.position_exponent == 0.66
    assert (scenario.config.slate_size, scenario.config.catalog.num_items) == (10, 10_000)
