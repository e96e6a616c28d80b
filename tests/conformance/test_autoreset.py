"""The three autoreset modes, step by step, against Gymnasium's own SyncVectorEnv over single environments."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit

from recsim_env import RecommenderEnv, RecommenderVectorEnv
from tests.small_worlds import small_world

NUM_ENVS, SEED, HORIZON, STEPS = 5, 17, 4, 25
CASES = [(mode, slate) for mode in AutoresetMode for slate in (1, 4)]


class EveryBth(gymnasium.Wrapper):
    """A single environment that serves the users of one row of a batch: row, row + B, row + 2 B ..."""

    def __init__(self, env, row):
        super().__init__(env)
        self.row, self.turn = row, 0

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self.turn = 0
        user = self.row + NUM_ENVS * self.turn
        self.turn += 1
        return self.env.reset(seed=seed, options={**(options or {}), "user_id": user})


def worlds(slate_size):
    return small_world(slate_size, session={"patience_scale": 3.0})


def peers(mode, slate_size):
    """The native batch, and single environments side by side."""
    world = worlds(slate_size)
    native = RecommenderVectorEnv(
        NUM_ENVS, world=world, autoreset_mode=mode, max_episode_steps=HORIZON, expected_reward=True
    )

    def single(row):
        return lambda: EveryBth(TimeLimit(RecommenderEnv(world=world, expected_reward=True), HORIZON), row)

    return native, SyncVectorEnv([single(row) for row in range(NUM_ENVS)], autoreset_mode=mode)


def same(first, second, rows=...):
    assert first.keys() == second.keys()
    for key, values in second.items():
        np.testing.assert_array_equal(np.asarray(first[key])[rows], np.asarray(values)[rows], err_msg=key)


def public(info):
    """The values of an info, without Gymnasium's masks of who has them."""
    return {key: values for key, values in info.items() if not key.startswith("_") and "final" not in key}


def played(mode, slate_size):
    """Steps of both environments with the same actions, until every row has ended in both ways."""
    native, sync = peers(mode, slate_size)
    native.action_space.seed(3)
    first, second = native.reset(seed=SEED), sync.reset(seed=[SEED] * NUM_ENVS)
    same(first[0], second[0])
    same(first[1], public(second[1]))
    ends = np.zeros((2, NUM_ENVS), bool)
    for _ in range(STEPS):
        actions = native.action_space.sample()
        first, second = native.step(actions), sync.step(actions)
        ends |= np.stack(first[2:4])
        yield native, sync, first, second
    assert ends.any(axis=1).all()


@pytest.mark.parametrize(("mode", "slate_size"), CASES)
def test_the_same_as_single_environments_side_by_side(mode, slate_size):
    for native, sync, first, second in played(mode, slate_size):
        same(first[0], second[0])
        assert [array.dtype for array in first[1:4]] == [np.float64, bool, bool]
        np.testing.assert_array_equal(first[1], second[1])
        np.testing.assert_array_equal(first[2], second[2])
        # Gymnasium's TimeLimit truncates a session that ends with the horizon's last step as well.
        np.testing.assert_array_equal(first[3], second[3] & ~second[2])
        same(public(first[4]), public(second[4]))
        done = first[2] | first[3]
        if mode is AutoresetMode.DISABLED and done.any():
            mask = {"reset_mask": done}
            first, second = native.reset(options=dict(mask)), sync.reset(options=dict(mask))
            same(first[0], second[0])
            same(first[1], public(second[1]), rows=done)


@pytest.mark.parametrize("slate_size", [1, 4])
def test_same_step_keeps_the_last_observations_and_infos_aside(slate_size):
    met = False
    for _, _, first, second in played(AutoresetMode.SAME_STEP, slate_size):
        ours, theirs = first[4], second[4]
        assert ("final_obs" in ours) == ("final_obs" in theirs)
        if "final_obs" in ours:
            met = True
            done = first[2] | first[3]
            np.testing.assert_array_equal(ours["_final_obs"], done)
            np.testing.assert_array_equal(ours["_final_info"], done)
            np.testing.assert_array_equal(theirs["_final_obs"], done)
            same(ours["final_info"], public(theirs["final_info"]), rows=done)
            for row in range(NUM_ENVS):
                if done[row]:
                    same(ours["final_obs"][row], theirs["final_obs"][row])
                else:
                    assert ours["final_obs"][row] is None
    assert met


def test_next_step_ignores_the_action_of_a_row_that_restarts():
    native, _ = peers(AutoresetMode.NEXT_STEP, 4)
    native.reset(seed=SEED)
    done = np.zeros(NUM_ENVS, bool)
    while not done.any():
        _, _, terminated, truncated, _ = native.step(np.tile([3, 1, 4, 15], (NUM_ENVS, 1)))
        done = terminated | truncated
    observation, reward, terminated, truncated, info = native.step(np.tile([9, 8, 7, 6], (NUM_ENVS, 1)))
    assert not reward[done].any()
    assert not (terminated | truncated)[done].any()
    assert not observation["session_step"][done].any()
    assert not info["clicks"][done].any()
    assert not info["expected_reward"][done].any()
    assert (observation["session_step"][~done] > 0).all()


@pytest.mark.parametrize("mode", AutoresetMode)
def test_a_user_who_leaves_terminates_and_the_horizon_truncates(mode):
    """Never the one for the other, and not both: a user who leaves with the last step has left."""
    seen = np.zeros(2, int)
    for native, sync, first, _ in played(mode, 4):
        terminated, truncated, info = first[2], first[3], first[4]
        assert not (terminated & truncated).any()
        states = native.state
        last = info["final_obs"] if "final_obs" in info else np.full(NUM_ENVS, None)
        steps = np.array(
            [
                states["step"][row] if last[row] is None else last[row]["session_step"][0]
                for row in range(NUM_ENVS)
            ]
        )
        assert (steps[truncated] == HORIZON).all()
        if mode is not AutoresetMode.SAME_STEP:
            np.testing.assert_array_equal(states["ended"], terminated)
        seen += [terminated.sum(), truncated.sum()]
        if mode is AutoresetMode.DISABLED and (terminated | truncated).any():
            for env in (native, sync):
                env.reset(options={"reset_mask": terminated | truncated})
    assert (seen > 5).all()


def test_leaving_with_the_very_last_step_is_termination():
    """A horizon that cuts every session at the step in which some users leave anyway."""
    world = worlds(4)
    env = RecommenderVectorEnv(2_000, world=world, autoreset_mode=AutoresetMode.DISABLED, max_episode_steps=1)
    env.reset(seed=0)
    _, _, terminated, truncated, _ = env.step(np.tile([3, 1, 4, 15], (2_000, 1)))
    np.testing.assert_array_equal(terminated, env.state["patience"] <= 0)
    np.testing.assert_array_equal(truncated, ~terminated)
    assert 0 < terminated.sum() < 2_000
