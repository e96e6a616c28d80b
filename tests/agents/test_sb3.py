"""The Stable-Baselines3 adapter and features extractor."""

from __future__ import annotations

import copy

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from stable_baselines3 import DQN as SB3DQN
from stable_baselines3 import PPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecMonitor

from agents import HistoryExtractor, SB3VecEnv
from agents.seeding import scoped_global_rng
from recsim_env import WorldConfig
from recsim_env.wrappers import FlattenHistoryVector, HistoryFlattener
from tests.agents.live_users import make_native

CATALOG = {"num_items": 60}
ID = "recsim_env/Storefront-v0"


def first_episode_end(adapter, native, truncated):
    """Step both side by side until a row ends in the wanted way: what the adapter said, and the truth."""
    for step in range(400):
        actions = np.full(adapter.num_envs, step % 60)
        truth = native.step(actions)
        observation, reward, done, infos = adapter.step(actions)
        np.testing.assert_allclose(reward, truth[1], rtol=1e-6)
        wanted = truth[3] if truncated else truth[2]
        if wanted.any():
            return int(np.flatnonzero(wanted)[0]), observation, done, infos, truth
        if done.any():
            native.reset(options={"reset_mask": truth[2] | truth[3]})
    raise AssertionError("no such end")


@pytest.mark.parametrize("truncated", [False, True], ids=["terminated", "truncated"])
def test_the_end_of_an_episode(truncated):
    adapter, native = SB3VecEnv(make_native()), make_native()
    adapter.seed(5)
    started = adapter.reset()
    native.reset(seed=5)
    row, observation, done, infos, truth = first_episode_end(adapter, native, truncated)
    assert done[row]
    info = infos[row]
    assert info["TimeLimit.truncated"] is truncated
    for key, value in truth[0].items():
        np.testing.assert_array_equal(info["terminal_observation"][key], value[row], err_msg=key)
    assert info["clicks"] == truth[4]["clicks"][row]
    assert observation["session_step"][row] == 0
    assert observation.keys() == started.keys()
    assert all(infos[other] == {} for other in np.flatnonzero(~done))
    assert info["episode"]["l"] == info["terminal_observation"]["session_step"][0]


def test_episode_statistics_are_those_of_vec_monitor():
    def play(env):
        env.seed(3)
        env.reset()
        ends = []
        for step in range(60):
            infos = env.step(np.full(4, step))[3]
            ends += [(info["episode"]["r"], info["episode"]["l"]) for info in infos if "episode" in info]
        return ends

    own = play(SB3VecEnv(make_native()))
    with pytest.warns(UserWarning, match="already wrapped with a `Monitor`"):
        monitored = VecMonitor(SB3VecEnv(make_native()))
    np.testing.assert_allclose(own, play(monitored), rtol=1e-5)
    assert len(own) > 20


def served(adapter):
    return adapter.get_attr("state", indices=0)[0]["user_id"].tolist()


def test_flat_observations_are_those_of_the_dict():
    """The same steps on both: also at the ends of episodes, where a row shows its next user."""
    flat, whole = SB3VecEnv(FlattenHistoryVector(make_native())), SB3VecEnv(make_native())
    flatten = HistoryFlattener(whole.env.world)
    for adapter in (flat, whole):
        adapter.seed(5)
    np.testing.assert_array_equal(flat.reset(), flatten(whole.reset()))
    ends = 0
    for step in range(40):
        found, expected = (adapter.step(np.full(4, step % 60)) for adapter in (flat, whole))
        np.testing.assert_array_equal(found[0], flatten(expected[0]))
        for one, other in zip(found[3], expected[3], strict=True):
            assert one.keys() == other.keys()
            if other:
                last = flatten({key: value[None] for key, value in other["terminal_observation"].items()})
                np.testing.assert_array_equal(one["terminal_observation"], last[0])
                ends += 1
    assert ends > 4


def test_stable_baselines_ppo_learns_on_flat_observations():
    with scoped_global_rng(0):
        adapter = SB3VecEnv(FlattenHistoryVector(make_native()))
        model = PPO("MlpPolicy", adapter, n_steps=8, batch_size=32, n_epochs=1)
        model.learn(64)
        assert len(model.ep_info_buffer) > 0


def test_seeds_and_options_hold_for_one_reset():
    adapter = SB3VecEnv(make_native())
    adapter.seed(11)
    first = adapter.reset()
    assert served(adapter) == [0, 1, 2, 3]
    adapter.reset()
    assert served(adapter) == [4, 5, 6, 7]
    adapter.set_options({"user_ids": np.arange(4)})
    again = adapter.reset()
    assert adapter.get_attr("seed_value") == [11] * 4
    for key, value in first.items():
        np.testing.assert_array_equal(again[key], value)
    adapter.reset()
    assert served(adapter) == [8, 9, 10, 11]
    with pytest.raises(ValueError, match="one dict for the whole batch"):
        adapter.set_options([{}] * 4)


def test_attributes_and_methods_belong_to_the_batch():
    adapter = SB3VecEnv(make_native())
    world = adapter.get_attr("world", indices=[1, 2])
    assert world == [adapter.env.world] * 2
    assert not adapter.has_attr("no_such_attribute")
    adapter.set_attr("note", "all")
    assert adapter.env.note == "all"
    with pytest.raises(ValueError, match="rows of a native batch share"):
        adapter.set_attr("note", "one", indices=0)
    assert len(adapter.env_method("reset", seed=1, indices=0)) == 1
    assert adapter.env_is_wrapped(Monitor) == [True] * 4
    assert adapter.env_is_wrapped(gym.wrappers.TimeLimit) == [False] * 4


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_environments_that_reset_themselves_are_refused(mode):
    with pytest.raises(ValueError, match=r"expected autoreset_mode AutoresetMode\.DISABLED"):
        SB3VecEnv(make_native(mode=mode))


def test_stable_baselines_accepts_the_single_environment():
    check_env(gym.make(ID, catalog=CATALOG).unwrapped, warn=True)


def settings(env):
    return {
        "features_extractor_class": HistoryExtractor,
        "features_extractor_kwargs": {
            "features_dim": 16,
            "public_catalog": env.get_wrapper_attr("world").public_catalog,
        },
    }


def test_stable_baselines_dqn_learns_on_the_single_environment():
    with scoped_global_rng(0):
        env = gym.make(ID, catalog=CATALOG)
        model = SB3DQN("MultiInputPolicy", env, learning_starts=20, seed=0, policy_kwargs=settings(env))
        model.learn(60)
        assert model._n_updates > 0
        observation, _ = env.reset(seed=1)
        action, _ = model.predict(observation, deterministic=True)
        assert env.action_space.contains(action.item())
        batch = {key: np.asarray(value)[None] for key, value in observation.items()}
        assert model.predict(batch, deterministic=True)[0] == action


def test_stable_baselines_dqn_on_the_adapter_counts_episodes():
    with scoped_global_rng(0):
        native = make_native(16)
        adapter = SB3VecEnv(native)
        model = SB3DQN(
            "MultiInputPolicy",
            adapter,
            learning_starts=32,
            target_update_interval=64,
            policy_kwargs={"features_extractor_class": HistoryExtractor},
        )
        model.learn(640)
        assert len(model.ep_info_buffer) > 20
        mean, _ = evaluate_policy(model, adapter, n_eval_episodes=16)
    assert mean >= 0


def test_the_replay_buffer_tells_truncation_from_leaving():
    with scoped_global_rng(0):
        adapter = SB3VecEnv(make_native(16))
        model = SB3DQN("MultiInputPolicy", adapter, learning_starts=10**6, target_update_interval=64)
        model.learn(16 * 40)
    buffer = model.replay_buffer
    done, timeout = buffer.dones[:40] > 0, buffer.timeouts[:40] > 0
    assert timeout.any()
    assert (done & ~timeout).any()
    assert (done | ~timeout).all()
    steps = buffer.observations["session_step"][:40, :, 0]
    following = buffer.next_observations["session_step"][:40, :, 0]
    np.testing.assert_array_equal(following, steps + 1)
    assert (following[timeout] == 8).all()


def test_the_extractor_reads_segments_one_hot_or_not():
    space = gym.make(ID, catalog=CATALOG).observation_space
    with scoped_global_rng(0):
        extractor = HistoryExtractor(space, 16)
    assert extractor.features_dim == 16
    samples = {key: torch.as_tensor(np.stack([value, value])) for key, value in space.sample().items()}
    one_hot = torch.zeros(2, WorldConfig().population.num_segments)
    one_hot[torch.arange(2), samples["segment"]] = 1
    batch = {key: value.float() for key, value in samples.items() if key != "segment"}
    flat = extractor({**batch, "segment": one_hot})
    nested = extractor({**copy.copy(batch), "segment": one_hot[:, None]})
    assert flat.shape == (2, 16)
    assert torch.equal(flat, nested)
