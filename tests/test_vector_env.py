"""The vector environment: whom its rows serve, what it accepts, and what it hands out."""

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode

from recsim_env import RecommenderVectorEnv, get_scenario
from recsim_env.spaces import SlateSpace
from tests.small_worlds import NUM_ITEMS, digest, small_world

DISABLED, NEXT_STEP, SAME_STEP = AutoresetMode.DISABLED, AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP
SHORT = {"patience_scale": 0.5, "step_cost": 1.0}


def make(num_envs=3, slate_size=4, short=False, **options):
    world = small_world(slate_size, session=SHORT) if short else small_world(slate_size)
    return RecommenderVectorEnv(num_envs, world=world, **options)


def snapshot(env):
    return digest(env.state, env._done, env._turn), env.seed_value, env.np_random_seed


def good_actions(env):
    return np.tile([3, 1, 4, 15], (env.num_envs, 1))


def test_spaces():
    env = make(3)
    assert env.single_action_space == SlateSpace(NUM_ITEMS, (4,))
    assert env.action_space == SlateSpace(NUM_ITEMS, (3, 4))
    assert env.observation_space["history_items"].shape == (3, 5)
    assert env.observation_space["segment"].shape == (3,)
    assert make(3, 1).action_space.nvec.tolist() == [NUM_ITEMS] * 3


@pytest.mark.parametrize("mode", AutoresetMode)
def test_make_vec_gives_the_native_environment_in_every_mode(mode):
    env = gymnasium.make_vec(
        "recsim_env/Storefront-v0", num_envs=2, autoreset_mode=mode, catalog={"num_items": 70}
    )
    assert isinstance(env.unwrapped, RecommenderVectorEnv)
    assert env.metadata["autoreset_mode"] is mode
    assert env.unwrapped.max_episode_steps == get_scenario("Storefront-v0").max_episode_steps
    assert (
        gymnasium.make_vec("recsim_env/Storefront-v0", num_envs=2, catalog={"num_items": 70}).metadata[
            "autoreset_mode"
        ]
        is NEXT_STEP
    )


def test_rows_go_on_with_every_bth_user():
    env = make(3, short=True, autoreset_mode=SAME_STEP)
    _, info = env.reset(seed=0)
    served = [[user] for user in info["user_id"].tolist()]
    for _ in range(12):
        *_, info = env.step(good_actions(env))
        for row, user in enumerate(info["user_id"].tolist()):
            if served[row][-1] != user:
                served[row].append(user)
        assert not info["visit"].any()
    for row, users in enumerate(served):
        assert len(users) > 3
        assert users == list(range(row, row + 3 * len(users), 3))


def test_chosen_users_are_served_in_turn_and_then_again_at_their_next_visit():
    users = [10, 2**40, 30, 40, 50]
    env = make(2, short=True, autoreset_mode=SAME_STEP, user_ids=users)
    _, info = env.reset(seed=0)
    served = [[pair] for pair in zip(info["user_id"].tolist(), info["visit"].tolist(), strict=True)]
    for _ in range(30):
        *_, info = env.step(good_actions(env))
        for row, pair in enumerate(zip(info["user_id"].tolist(), info["visit"].tolist(), strict=True)):
            if served[row][-1] != pair:
                served[row].append(pair)
    for row, pairs in enumerate(served):
        turns = [row + 2 * turn for turn in range(len(pairs))]
        assert pairs == [(users[turn % 5], turn // 5) for turn in turns]
        assert len(pairs) > 6


def test_reset_with_a_seed_starts_over_and_without_goes_on():
    env = make(3)
    first, info = env.reset(seed=1)
    again, _ = env.reset(seed=1)
    for key in first:
        np.testing.assert_array_equal(first[key], again[key])
    assert info["user_id"].tolist() == [0, 1, 2]
    assert env.reset()[1]["user_id"].tolist() == [3, 4, 5]
    assert env.seed_value == 1


def test_unseeded_environments_differ_and_stay_with_their_seed():
    first, second = make(3), make(3)
    first.reset()
    second.reset()
    assert first.seed_value != second.seed_value
    seed = first.seed_value
    assert first.reset()[1]["user_id"].tolist() == [3, 4, 5]
    assert first.seed_value == seed == first.np_random_seed % 2**64


def test_a_masked_reset_leaves_the_other_rows_alone():
    world = small_world(4, session={"patience_scale": 1e4})
    env, twin = (RecommenderVectorEnv(4, world=world, autoreset_mode=DISABLED) for _ in range(2))
    for one in (env, twin):
        one.reset(seed=2)
        one.step(good_actions(one))
    mask = np.array([False, True, False, True])
    observation, info = env.reset(options={"reset_mask": mask})
    assert info["user_id"].tolist() == [0, 5, 2, 7]
    assert observation["session_step"][:, 0].tolist() == [1, 0, 1, 0]
    kept = ~mask
    expected = twin.step(good_actions(twin))
    after = env.step(good_actions(env))
    for key in expected[0]:
        np.testing.assert_array_equal(after[0][key][kept], expected[0][key][kept])
    np.testing.assert_array_equal(after[1][kept], expected[1][kept])


def test_a_masked_reset_can_choose_users():
    env = make(3, autoreset_mode=DISABLED)
    env.reset(seed=0)
    mask = np.array([True, False, True])
    _, info = env.reset(options={"reset_mask": mask, "user_ids": [2**40, 9]})
    assert info["user_id"].tolist() == [2**40, 1, 9]
    assert env.reset(options={"reset_mask": mask})[1]["user_id"].tolist() == [3, 1, 5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"user_id": 1}, r"reset options: unknown key 'user_id'; did you mean 'user_ids'"),
        (
            {"reset_mask": np.array([True, False])},
            r"reset_mask: expected a boolean array of shape \(3,\) .* \(2,\)",
        ),
        ({"reset_mask": np.array([1, 0, 1])}, r"reset_mask: expected a boolean array .* of int64"),
        ({"reset_mask": np.zeros(3, bool)}, r"reset_mask: expected .* at least one True, .* 0 True"),
        ({"user_ids": [1, 2]}, r"user_ids: expected 3 ids, one per reset row, got 2"),
        ({"user_ids": [1, 2, -3]}, r"user_ids\[2\]: expected an id in .* got -3"),
        ({"user_ids": [1.0, 2.0, 3.0]}, r"user_ids: expected a non-empty 1-d array of integers, .* float64"),
        (
            {"reset_mask": np.array([True, False, True]), "user_ids": [1, 2, 3]},
            r"user_ids: expected 2 ids, one per reset row, got 3",
        ),
    ],
)
@pytest.mark.parametrize("seed", [None, 99])
def test_wrong_reset_options_are_named_and_change_nothing(options, message, seed):
    env = make(3, autoreset_mode=DISABLED)
    env.reset(seed=1)
    env.step(good_actions(env))
    before = snapshot(env)
    with pytest.raises(ValueError, match=message):
        env.reset(seed=seed if "reset_mask" not in options else None, options=options)
    assert snapshot(env) == before


def test_one_seed_for_all_rows_so_a_partial_reset_takes_none():
    """Another seed in the middle of the other rows' sessions would change their luck."""
    env = make(3, autoreset_mode=DISABLED)
    env.reset(seed=1)
    before = snapshot(env)
    with pytest.raises(ValueError, match="seed: expected None with a reset_mask that spares rows"):
        env.reset(seed=2, options={"reset_mask": np.array([True, False, True])})
    assert snapshot(env) == before
    _, info = env.reset(seed=2, options={"reset_mask": np.ones(3, bool)})
    assert info["user_id"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (
            np.array([[0, 1, 2, 3], [0, 1, 2, 60], [0, 1, 2, 3]]),
            r"action\[1, 3\]: expected an item in \[0, 60\)",
        ),
        (
            np.array([[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, -2, 3]]),
            r"action\[2, 2\]: expected an item .* got -2",
        ),
        (
            np.array([[0, 1, 2, 3], [0, 1, 2, 1], [0, 0, 2, 3]]),
            r"action\[1, 3\]: item 1 is already on this slate",
        ),
        (np.zeros((2, 4), int), r"action: expected shape \(3, 4\) for slates of 4, got \(2, 4\)"),
        (np.zeros(3, int), r"action: expected shape \(3, 4\) for slates of 4, got \(3,\)"),
        (np.zeros((3, 4)), r"action: expected integers, got an array of float64"),
        (np.full((3, 4), np.nan), r"action: expected integers, got an array of float64"),
    ],
)
def test_a_wrong_action_is_named_and_changes_nothing(action, message):
    env = make(3)
    env.reset(seed=1)
    before = snapshot(env)
    with pytest.raises(ValueError, match=message):
        env.step(action)
    assert snapshot(env) == before


def test_the_first_offending_row_of_a_large_batch_is_named():
    env = make(5_000)
    env.reset(seed=1)
    actions = good_actions(env)
    actions[[4_100, 4_900], 2] = 99
    with pytest.raises(ValueError, match=r"action\[4100, 2\]: expected an item in \[0, 60\), got 99"):
        env.step(actions)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64, np.uint32])
def test_any_integer_dtype_and_layout_acts(dtype):
    env, twin = make(3), make(3)
    env.reset(seed=1)
    twin.reset(seed=1)
    first = env.step(np.asfortranarray(good_actions(env).astype(dtype)))
    np.testing.assert_array_equal(first[0]["last_slate"], twin.step(good_actions(twin))[0]["last_slate"])


def test_the_first_reset_must_start_every_row():
    env = make(3, autoreset_mode=DISABLED)
    with pytest.raises(ResetNeeded, match="call reset"):
        env.step(good_actions(env))
    with pytest.raises(ResetNeeded, match="the first reset must start every row"):
        env.reset(options={"reset_mask": np.array([True, False, True])})


def test_disabled_refuses_to_step_a_finished_row():
    env = make(3, short=True, autoreset_mode=DISABLED)
    env.reset(seed=1)
    done = np.zeros(3, bool)
    while not done.any():
        _, _, terminated, truncated, _ = env.step(good_actions(env))
        done = terminated | truncated
    before = snapshot(env)
    with pytest.raises(ResetNeeded, match=rf"row {np.flatnonzero(done)[0]}: its session is over"):
        env.step(good_actions(env))
    assert snapshot(env) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_envs": 0}, r"num_envs: expected at least 1, got 0"),
        (
            {"render_mode": "human"},
            r"render_mode: expected None, since only single users are shown, got 'human'",
        ),
        ({"max_episode_steps": 0}, r"max_episode_steps: expected at least 1 or None, got 0"),
        ({"user_ids": [1, 2]}, r"user_ids: expected at least num_envs=3 ids, got 2"),
        ({"user_ids": []}, r"user_ids: expected a non-empty 1-d array"),
        ({"user_ids": [1, 2, 2**44]}, r"user_ids\[2\]: expected an id in"),
        ({"scenario": "Storefrot-v0"}, r"unknown scenario"),
        ({"duplicates": "no"}, r"duplicates: got 'no'; valid names: error, ignore"),
        ({"autoreset_mode": "sometimes"}, r"autoreset_mode|AutoresetMode"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        RecommenderVectorEnv(**{"num_envs": 3, **options})


@pytest.mark.parametrize("mode", AutoresetMode)
def test_info_has_the_same_arrays_at_every_call(mode):
    env = make(3, autoreset_mode=mode, expected_reward=True)
    calls = [env.reset(seed=0)[1], env.step(good_actions(env))[-1]]
    for info in calls:
        names = [name for name in info if "final" not in name]
        assert names == ["user_id", "visit", "clicks", "likes", "purchases", "revenue", "expected_reward"]
        assert all(info[name].shape == (3,) for name in names)
    assert not any(np.shares_memory(calls[0][name], calls[1][name]) for name in calls[0])


def test_expected_reward_is_that_of_the_single_environment_and_zero_for_rows_that_restart():
    env = make(30, short=True, expected_reward=True)
    env.reset(seed=0)
    *_, terminated, _, info = env.step(good_actions(env))
    assert (info["expected_reward"] > 0).all()
    *_, info = env.step(good_actions(env))
    np.testing.assert_array_equal(info["expected_reward"] == 0, terminated)
