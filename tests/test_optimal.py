"""Dynamic programming: against enumeration by hand, against another solver, against simulation."""

import numpy as np
import pytest

from recsim_env import World, get_scenario
from recsim_env.optimal import EnumeratedSolution, SatisfactionSolution
from recsim_env.truth import advance, item_truth, myopic_slates, slate_truth
from tests.small_worlds import fresh_states, small_world


def scenario_world(name, **changes):
    return World(get_scenario(name).config.replace(**changes))


TINY = scenario_world("Tiny-v0")
CLICKBAIT = scenario_world("LongTermSatisfaction-v0")


def returns(world, states, act, horizon, seed):
    """[B] reward of each user under a policy that reads the state."""
    states, total = states.copy(), np.zeros(len(states))
    for _ in range(horizon):
        outcomes, _ = world.step(seed, states, act(states)[:, None], blank_repeats=False)
        total += outcomes["reward"]
    return total


def expectimax(world, state, steps):
    """The optimal value by the definition, one state after the other."""
    if steps == 0 or state["ended"][0]:
        return 0.0
    best = -np.inf
    for item in range(world.config.catalog.num_items):
        slate = np.array([[item]])
        truth = slate_truth(world, state, slate)
        p = float(truth.click_prob[0, 0])
        to_go = [
            expectimax(world, advance(world, state, slate, np.array([[event]], np.uint8)), steps - 1)
            for event in (0, 1)
        ]
        best = max(best, float(truth.expected_reward[0]) + (1 - p) * to_go[0] + p * to_go[1])
    return best


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_enumeration_agrees_with_the_definition(steps):
    states, _ = fresh_states(TINY, [0, 1, 2, 3])
    solution = EnumeratedSolution(TINY, states, steps)
    by_definition = [expectimax(TINY, states[i : i + 1].copy(), steps) for i in range(4)]
    np.testing.assert_allclose(solution.value(states), by_definition, rtol=1e-5)


def test_enumeration_sees_sessions_end():
    """Patience for one click of a satisfying item more, or none: the definition and the solver agree."""
    world = scenario_world("Tiny-v0", session={"patience_scale": 2.0, "step_cost": 1.0, "refund": 0.9})
    states, _ = fresh_states(world, np.arange(6))
    solution = EnumeratedSolution(world, states, 3)
    by_definition = [expectimax(world, states[i : i + 1].copy(), 3) for i in range(6)]
    np.testing.assert_allclose(solution.value(states), by_definition, rtol=1e-5)
    assert np.ptp(by_definition) > 0.05


def test_with_one_step_to_go_the_myopic_item_is_optimal():
    states, _ = fresh_states(TINY, np.arange(30))
    solution = EnumeratedSolution(TINY, states, 1)
    np.testing.assert_array_equal(solution.act(states), myopic_slates(TINY, states)[:, 0])
    np.testing.assert_allclose(
        solution.value(states), item_truth(TINY, states).expected_reward.max(axis=1), rtol=1e-6
    )


def test_the_optimal_policy_of_tiny_earns_its_value_and_more_than_the_myopic_one():
    horizon, users = get_scenario("Tiny-v0").max_episode_steps, np.arange(20_000)
    states, _ = fresh_states(TINY, users, seed=11)
    solution = EnumeratedSolution(TINY, states, horizon)
    earned = returns(TINY, states, solution.act, horizon, seed=11)
    error = earned.std() / np.sqrt(len(users))
    assert abs(earned.mean() - solution.value(states).mean()) < 3.9 * error  # a false alarm in 10,000
    myopic = returns(TINY, states, lambda s: myopic_slates(TINY, s)[:, 0], horizon, seed=11)
    assert earned.mean() > 1.15 * myopic.mean()


def test_the_optimal_policy_of_clickbait_earns_its_value_and_a_quarter_more_than_the_myopic_one():
    horizon, users = get_scenario("LongTermSatisfaction-v0").max_episode_steps, np.arange(2_000)
    states, _ = fresh_states(CLICKBAIT, users, seed=12)
    solution = SatisfactionSolution(CLICKBAIT, horizon)
    assert solution.error < 1e-3 * solution.value(states).mean()
    earned = returns(CLICKBAIT, states, solution.act, horizon, seed=12)
    error = earned.std() / np.sqrt(len(users))
    assert abs(earned.mean() - solution.value(states).mean()) < 3.9 * error
    myopic = returns(CLICKBAIT, states, lambda s: myopic_slates(CLICKBAIT, s)[:, 0], horizon, seed=12)
    assert earned.mean() > 1.25 * myopic.mean()


def test_both_solvers_agree_where_both_apply():
    world = scenario_world("LongTermSatisfaction-v0", catalog={"num_items": 6})
    states, _ = fresh_states(world, [0])
    exact = EnumeratedSolution(world, states, 5).value(states)[0]
    grid = SatisfactionSolution(world, 5, points=4_001)
    assert grid.value(states)[0] == pytest.approx(exact, abs=max(grid.error, 1e-6))


def test_the_error_of_the_grid_falls_with_its_square():
    world = scenario_world("LongTermSatisfaction-v0", catalog={"num_items": 6})
    coarse, fine = (SatisfactionSolution(world, 10, points).error for points in (101, 401))
    assert fine < coarse / 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slate_size": 2}, "slate_size: expected 1, got 2"),
        ({"preferences": {"drift_scale": 0.1}}, "preferences.drift_scale: expected 0.0, got 0.1"),
        ({"preferences": {"pull_like": 0.1}}, "preferences.pull_like: expected 0.0, got 0.1"),
    ],
)
def test_enumeration_refuses_other_worlds(changes, message):
    states, _ = fresh_states(TINY, [0])
    with pytest.raises(ValueError, match=f"EnumeratedSolution: {message}"):
        EnumeratedSolution(scenario_world("Tiny-v0", **changes), states, 2)


def test_enumeration_refuses_what_it_cannot_hold_or_does_not_know():
    states, _ = fresh_states(TINY, np.arange(30))
    with pytest.raises(ValueError, match="horizon: more than 3000000 states can be reached"):
        EnumeratedSolution(TINY, states, 9)
    solution = EnumeratedSolution(TINY, states[states["segment"] == states["segment"][0]], 2)
    other = states[states["segment"] != states["segment"][0]]
    with pytest.raises(ValueError, match="state 0 cannot be reached from those solved for"):
        solution.value(other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"choice": {"affinity_weight": 1.0}}, "choice.affinity_weight: expected 0.0, got 1.0"),
        ({"session": {"patience_scale": 20.0}}, "session.patience_scale: expected patience that outlasts"),
    ],
)
def test_the_grid_refuses_other_worlds(changes, message):
    with pytest.raises(ValueError, match=f"SatisfactionSolution: {message}"):
        SatisfactionSolution(scenario_world("LongTermSatisfaction-v0", **changes), 10)
    with pytest.raises(ValueError, match="SatisfactionSolution: slate_size"):
        SatisfactionSolution(small_world(4), 10)
