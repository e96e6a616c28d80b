"""The checkers of Gymnasium and Stable-Baselines3 find nothing to say; warnings are errors."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as check_gymnasium
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.utils.passive_env_checker import data_shares_objects
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import FlattenObservation, RecordEpisodeStatistics
from stable_baselines3.common.env_checker import check_env as check_stable_baselines

from recsim_env import SCENARIOS, RecommenderEnv
from recsim_env.wrappers import FlattenHistory
from tests.small_worlds import small_world

IDS = [scenario.id for scenario in SCENARIOS.values()]
SMALL = {
    "slate of 1": lambda: RecommenderEnv(world=small_world(1)),
    "slate of 4": lambda: RecommenderEnv(world=small_world(4), expected_reward=True),
    "ignoring repeats": lambda: RecommenderEnv(world=small_world(4, "position"), duplicates="ignore"),
    "flat": lambda: FlattenHistory(RecommenderEnv(world=small_world(4))),
    "flat with statistics": lambda: RecordEpisodeStatistics(
        FlattenHistory(RecommenderEnv(world=small_world(1)))
    ),
}


@pytest.mark.parametrize("env_id", IDS)
def test_gymnasium_on_every_id(env_id):
    check_gymnasium(gymnasium.make(env_id).unwrapped)
    check_gymnasium(gymnasium.make(env_id, expected_reward=True).unwrapped)


@pytest.mark.parametrize("env_id", IDS)
def test_gymnasium_on_every_id_as_made_and_flattened(env_id):
    # As made, an environment is wrapped, which the checker advises against: the one warning that it gives.
    for env in (gymnasium.make(env_id), FlattenHistory(gymnasium.make(env_id))):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*is different from the unwrapped version")
            check_gymnasium(env)


@pytest.mark.parametrize("env_id", IDS)
def test_stable_baselines_on_every_id_and_flattened(env_id):
    check_stable_baselines(gymnasium.make(env_id), warn=True)
    check_stable_baselines(FlattenHistory(gymnasium.make(env_id)), warn=True)


@pytest.mark.parametrize("make", SMALL.values(), ids=SMALL)
def test_both_on_small_worlds(make):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is different from the unwrapped version")
        check_gymnasium(make(), skip_render_check=True)  # it needs a registered id; see above
    check_stable_baselines(make(), warn=True)


def test_gymnasium_s_own_flattening_works():
    env = FlattenObservation(RecommenderEnv(world=small_world(1)))
    observation, _ = env.reset(seed=0)
    assert observation in env.observation_space
    assert env.step(3)[0] in env.observation_space


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("mode", AutoresetMode)
def test_the_vector_environment_keeps_the_same_rules(env_id, mode):
    """What the checker asks of a single environment: spaces, seeds, fresh data, finite infos."""
    env = gymnasium.make_vec(env_id, num_envs=3, autoreset_mode=mode)
    traces = []
    for _ in range(2):
        env.action_space.seed(1)
        observation, info = env.reset(seed=5)
        assert observation in env.observation_space
        trace = [(observation, info)]
        for _ in range(4):
            observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
            assert observation in env.observation_space
            assert reward.dtype == np.float64
            assert reward.shape == terminated.shape == truncated.shape == (3,)
            assert terminated.dtype == truncated.dtype == bool
            assert all(np.isfinite(info[name]).all() for name in ("clicks", "likes", "purchases", "revenue"))
            trace.append((observation, info))
            if mode is AutoresetMode.DISABLED and (done := terminated | truncated).any():
                trace.append(env.reset(options={"reset_mask": done}))
        for i, (observation, info) in enumerate(trace):
            for other, other_info in trace[:i]:
                assert not data_shares_objects(observation, other)
                assert not data_shares_objects(info, other_info)
        traces.append(trace)
    assert data_equivalence(*traces, exact=True)
