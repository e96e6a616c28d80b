"""The planning oracle: gains where looking ahead pays, is the myopic oracle where it does not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from agents import OPTIMAL, MyopicOracle, PlanningConfig, PlanningOracle
from recsim_env import World, get_scenario, rollout
from recsim_env.actions import find_invalid
from recsim_env.truth import item_truth, myopic_slates, pool_truth, slate_truth
from tests.small_worlds import digest

QUICK = PlanningConfig(rollouts=2, depth=4, calibration_users=16, batch_users=8)
CATALOG = {"num_items": 60}


def started(world, count=20, seed=3):
    states, users = world.empty_states(count), np.arange(count)
    world.reset(seed, states, users, users, np.zeros(count, np.int64))
    return states


def returns(world, policy, count, seed, max_steps=100):
    total = np.zeros(count)
    for batch in rollout(
        world,
        policy,
        np.arange(count),
        seed=seed,
        generator=np.random.default_rng(0),
        max_steps=max_steps,
    ):
        total[batch.user_id] += batch.reward
    return total


def decide(oracle, states):
    return oracle.act({}, np.random.default_rng(0), states)


@pytest.fixture(scope="module")
def memoryless():
    config = get_scenario("Memoryless-v0").config
    return World(config.replace(catalog=CATALOG))


def test_where_actions_change_nothing_it_is_the_myopic_oracle(memoryless):
    states = started(memoryless, 60)
    oracle = PlanningOracle(memoryless, 10, QUICK)
    assert oracle.default == 0
    action, propensity = decide(oracle, states)
    np.testing.assert_array_equal(action, myopic_slates(memoryless, states)[:, 0])
    assert (propensity == 1).all()


def test_with_slates_too():
    world = World(get_scenario("Memoryless-v0").config.replace(catalog=CATALOG, slate_size=10))
    states = started(world)
    action = decide(PlanningOracle(world, 10, QUICK), states).action
    np.testing.assert_array_equal(action, myopic_slates(world, states))


def test_slates_are_valid_and_not_only_myopic(slate_world):
    states = started(slate_world)
    slates = decide(PlanningOracle(slate_world, 20, QUICK), states).action
    assert slates.shape == (20, 10)
    assert find_invalid(slate_world, slates) is None
    assert (slates != myopic_slates(slate_world, states)).any()


def test_a_decision_depends_on_the_state_alone(world):
    """Not on the batch, its order, or earlier decisions; and the states are left as they were."""
    states = started(world)
    before = states.copy()
    oracle = PlanningOracle(world, 20, QUICK)
    action = decide(oracle, states).action
    assert digest(states) == digest(before)
    backwards = decide(PlanningOracle(world, 20, QUICK), states[::-1].copy()).action
    np.testing.assert_array_equal(backwards[::-1], action)
    alone = [decide(oracle, states[i : i + 1]).action[0] for i in range(5)]
    assert alone == action[:5].tolist()


def test_rollouts_do_not_use_the_luck_of_the_world(world, monkeypatch):
    """Forks are stepped with the oracle's own key, and under ids that no row of the batch has."""
    states = started(world)
    oracle = PlanningOracle(world, 20, QUICK)
    assert oracle.default >= 0
    seen = []
    step = World.step
    monkeypatch.setattr(
        World,
        "step",
        lambda self, seed, forks, *rest, **named: (
            seen.append((seed, forks["user_id"].copy())),
            step(self, seed, forks, *rest, **named),
        )[1],
    )
    decide(oracle, states)
    assert seen
    assert {seed for seed, _ in seen} == {QUICK.seed}
    first = seen[0][1]
    assert not np.isin(first, states["user_id"]).any()
    # one id per user and rollout, shared by all candidates of the decision
    per_user = min(QUICK.batch_users, len(states)) * QUICK.rollouts
    assert len(np.unique(first)) == per_user


def test_each_decision_imagines_anew(world):
    """The same user one step later is given other luck."""
    oracle = PlanningOracle(world, 20, QUICK)
    states = started(world, 4)
    later = states.copy()
    later["step"] += 1
    rollout_numbers = np.arange(2).repeat(2)
    now = oracle._imagined(states.copy(), rollout_numbers)["user_id"]
    then = oracle._imagined(later.copy(), rollout_numbers)["user_id"]
    assert not np.isin(now, then).any()


def test_it_plans_no_further_than_the_horizon(world):
    """At the last step nothing comes after: the action is the myopic one."""
    states = started(world, 40)
    states["step"] = 19
    action = decide(PlanningOracle(world, 20, QUICK), states).action
    np.testing.assert_array_equal(action, myopic_slates(world, states)[:, 0])


def test_a_depth_of_one_is_myopic(world):
    config = dataclasses.replace(QUICK, depth=1)
    states = started(world, 40)
    action = decide(PlanningOracle(world, 20, config), states).action
    np.testing.assert_array_equal(action, myopic_slates(world, states)[:, 0])


def test_pools_have_the_truth_of_their_items(world, generator):
    states = started(world)
    pools = generator.integers(60, size=(20, 7))
    all_items, pooled = item_truth(world, states), pool_truth(world, states, pools)
    for name in ("utility", "value_of_click"):
        expected = np.take_along_axis(getattr(all_items, name), pools, axis=1)
        np.testing.assert_array_equal(getattr(pooled, name), expected)


def test_returns_of_rollouts_are_unbiased(world):
    """With one bonus, the estimate is the mean return of the myopic policy; 5 standard errors."""
    config = PlanningConfig(family=((0, 0),), rollouts=2, depth=10, pool_size=60, calibration_users=2)
    oracle = PlanningOracle(world, 10, config)
    state = started(world, 1)
    forks = np.repeat(state, 4_000)
    actions, outlook = oracle._base.first_slates(state, item_truth(world, state), None)
    myopic = actions[:, 0]
    rows = np.zeros(len(forks), np.int64)
    numbers = np.arange(len(forks))
    estimate = oracle._play(
        oracle._imagined(forks.copy(), numbers),
        myopic[rows],
        outlook.of(rows),
        np.zeros((len(forks), 2), np.float32),
    )
    forks["user_id"] = 10**9 + numbers
    drawn, live = np.zeros(len(forks)), np.arange(len(forks))
    for _ in range(10):
        outcomes, _ = world.step(77, forks, myopic_slates(world, forks))
        drawn[live] += outcomes["reward"]
        stay = ~outcomes["terminated"]
        forks, live = forks[stay], live[stay]
    error = np.sqrt((estimate.var() + drawn.var()) / len(drawn))
    assert abs(estimate.mean() - drawn.mean()) < 5 * error
    assert estimate.std() < drawn.std()
    assert slate_truth(world, state, myopic).expected_reward[0] < estimate.mean()


def test_it_comes_back_from_a_folder(tmp_path, world):
    oracle = PlanningOracle(world, 20, QUICK)
    oracle.save(tmp_path / "planning")
    loaded = PlanningOracle.load(tmp_path / "planning")
    assert (loaded.config, loaded.max_steps, loaded.world.config) == (QUICK, 20, world.config)
    states = started(world)
    np.testing.assert_array_equal(decide(loaded, states).action, decide(oracle, states).action)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("family", ((1.0, 0.0),)),
        ("family", ((0.0, 0.0), (1.0,))),
        ("family", ((0.0, 0.0), (float("nan"), 0.0))),
        ("family", ()),
        ("rollouts", 1),
        ("depth", 0),
        ("caution", -1.0),
        ("pool_size", 0),
        ("batch_users", 0),
        ("calibration_users", 1),
    ],
)
def test_impossible_settings_are_refused(field, value):
    with pytest.raises(ValueError, match=rf"PlanningConfig\.{field}: expected"):
        PlanningConfig(**{field: value})


def test_an_impossible_horizon_is_refused(world):
    with pytest.raises(ValueError, match="max_steps: expected at least 0"):
        PlanningOracle(world, -1)


@pytest.mark.slow
def test_looking_ahead_pays_in_the_storefront():
    """Same users, same luck: more than the myopic oracle by three standard errors of the pairs."""
    world = World(get_scenario("Storefront-v0").config)
    oracle = PlanningOracle(world, 100, PlanningConfig(rollouts=2))
    assert oracle.default > 0
    gain = returns(world, oracle, 80, 1_003) - returns(world, MyopicOracle(world), 80, 1_003)
    assert gain.mean() > 3 * gain.std(ddof=1) / np.sqrt(len(gain))


@pytest.mark.slow
def test_nothing_is_lost_on_memoryless_users(memoryless):
    oracle = PlanningOracle(memoryless, 30, PlanningConfig(rollouts=2))
    np.testing.assert_array_equal(
        returns(memoryless, oracle, 30, 1_003, 30),
        returns(memoryless, MyopicOracle(memoryless), 30, 1_003, 30),
    )


@pytest.mark.slow
def test_it_stays_between_the_myopic_and_the_optimal_policy():
    """An oracle that knew its users' luck would beat the optimum; 4 standard errors of the pairs."""
    entry = get_scenario("Tiny-v0")
    world, steps, count = World(entry.config), entry.max_episode_steps, 300
    policies = (MyopicOracle(world), PlanningOracle(world, steps), OPTIMAL["Tiny-v0"](world))
    myopic, planning, optimal = (returns(world, policy, count, 1_003, steps) for policy in policies)

    def error(difference):
        return difference.std(ddof=1) / np.sqrt(count)

    assert (planning - myopic).mean() > 4 * error(planning - myopic)
    assert (planning - optimal).mean() < 4 * error(planning - optimal)
