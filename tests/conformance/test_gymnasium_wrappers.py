"""Gymnasium's wrappers on our environments, single and vector."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import vector as wrappers

from recsim_env import RecommenderEnv, RecommenderVectorEnv
from recsim_env.wrappers import FlattenHistoryVector
from tests.small_worlds import small_world

STEPS = 40


def native(mode=AutoresetMode.NEXT_STEP, num_envs=4, slate_size=4):
    world = small_world(slate_size, session={"patience_scale": 3.0})
    return RecommenderVectorEnv(num_envs, world=world, autoreset_mode=mode, max_episode_steps=6)


def steps(env, count=STEPS):
    """What random actions bring; finished rows are reset where nobody else does."""
    env.action_space.seed(0)
    env.reset(seed=0)
    for _ in range(count):
        step = env.step(env.action_space.sample())
        yield step
        done = step[2] | step[3]
        if env.metadata["autoreset_mode"] is AutoresetMode.DISABLED and done.any():
            env.reset(options={"reset_mask": done})


@pytest.mark.parametrize("mode", AutoresetMode)
def test_record_episode_statistics(mode):
    """Returns and lengths as recorded are those counted by hand."""
    env = wrappers.RecordEpisodeStatistics(native(mode))
    returns, lengths, idle = np.zeros(4), np.zeros(4, int), np.zeros(4, bool)
    recorded = 0
    for _, reward, terminated, truncated, info in steps(env):
        returns = np.where(idle, 0.0, returns + reward)
        lengths = np.where(idle, 0, lengths + 1)
        done = terminated | truncated
        if done.any():
            np.testing.assert_allclose(info["episode"]["r"][done], returns[done])
            np.testing.assert_array_equal(info["episode"]["l"][done], lengths[done])
            recorded += done.sum()
        idle = done & (mode is AutoresetMode.NEXT_STEP)
        if mode is not AutoresetMode.NEXT_STEP:
            returns[done], lengths[done] = 0, 0
    assert recorded == env.episode_count > 10


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED])
@pytest.mark.parametrize(
    "wrap",
    [
        wrappers.FlattenObservation,
        wrappers.NormalizeReward,
        lambda env: wrappers.ClipReward(env, 0.0, 1.0),
        lambda env: wrappers.TransformReward(env, lambda reward: 2 * reward),
        lambda env: wrappers.FilterObservation(env, ["segment", "last_events"]),
        lambda env: wrappers.NormalizeReward(FlattenHistoryVector(env)),
        wrappers.DictInfoToList,
    ],
    ids=[
        "FlattenObservation",
        "NormalizeReward",
        "ClipReward",
        "TransformReward",
        "FilterObservation",
        "flat and NormalizeReward",
        "DictInfoToList",
    ],
)
def test_the_wrappers_of_gymnasium_work(wrap, mode):
    env = wrap(native(mode, slate_size=1))
    for observation, reward, *_ in steps(env, 12):
        assert observation in env.observation_space
        assert reward.shape == (4,)


def test_transform_observation():
    space = spaces.Box(0, 7, (4, 4), np.int64)
    single = spaces.Box(0, 7, (4,), np.int64)
    env = wrappers.TransformObservation(native(), lambda seen: seen["last_events"], space, single)
    for observation, *_ in steps(env, 6):
        assert observation in env.observation_space


def test_transform_action():
    env = native(slate_size=1)
    env = wrappers.TransformAction(env, lambda action: (action + 1) % 60)
    env.reset(seed=0)
    observation, *_ = env.step(np.array([0, 1, 2, 59]))
    assert observation["last_slate"][:, 0].tolist() == [1, 2, 3, 0]


def test_normalize_observation():
    """On flat observations; Gymnasium has it for NEXT_STEP only."""
    env = wrappers.NormalizeObservation(FlattenHistoryVector(native()))
    for observation, *_ in steps(env, 6):
        assert np.isfinite(observation).all()


@pytest.mark.parametrize(
    "wrap",
    [
        gymnasium.wrappers.RecordEpisodeStatistics,
        gymnasium.wrappers.NormalizeReward,
        lambda env: gymnasium.wrappers.TimeLimit(env, 3),
        lambda env: gymnasium.wrappers.TransformReward(env, abs),
        lambda env: gymnasium.wrappers.TimeAwareObservation(gymnasium.wrappers.TimeLimit(env, 3)),
        gymnasium.wrappers.Autoreset,
        lambda env: gymnasium.wrappers.FilterObservation(env, ["history_items", "segment"]),
    ],
    ids=["statistics", "normalize", "limit", "transform", "time", "autoreset", "filter"],
)
def test_the_wrappers_of_single_environments_work(wrap):
    env = wrap(RecommenderEnv(world=small_world(1)))
    observation, _ = env.reset(seed=0)
    assert observation in env.observation_space
    ended = False
    for _ in range(3):
        if not ended:
            observation, _, *ends, _ = env.step(4)
            assert observation in env.observation_space
            ended = any(ends)
