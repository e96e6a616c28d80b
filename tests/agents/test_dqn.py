"""The DQN agent, made of the Stable-Baselines3 adapter and features extractor."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from agents import DQN, DQNConfig
from agents.encoders.sasrec import SASRec
from tests.agents.live_users import make_native


@pytest.fixture(scope="module")
def learned():
    calls = []
    config = DQNConfig(dim=16, learning_starts=100, decisions_per_update=32, target_update_interval=200)
    env = make_native(16)
    env.reset(seed=4)
    agent = DQN(config).learn(env, 1_600, seed=0, progress=lambda *call: calls.append(call))
    return agent, env, calls


def test_dqn_acts_on_batches(learned, observation):
    agent, _, _ = learned
    action, propensity = agent.act(observation, np.random.default_rng(0))
    assert action.shape == (50,)
    assert action.dtype == np.int64
    assert (propensity == 1).all()


def test_dqn_keeps_the_seed_of_the_environment(learned):
    assert learned[1].seed_value == 4


def test_dqn_reports_progress(learned):
    calls = learned[2]
    assert [call[:2] for call in calls] == [(800, 1_600), (1_600, 1_600)]
    assert {"exploration", "return", "loss"} <= calls[-1][2].keys()


def test_dqn_is_repeatable_and_leaves_global_generators_alone(learned, observation):
    agent, _, _ = learned
    env = make_native(16)
    env.reset(seed=4)
    before = random.getstate(), torch.get_rng_state().tolist()
    again = DQN(agent.config).learn(env, 1_600, seed=0)
    assert (random.getstate(), torch.get_rng_state().tolist()) == before
    arrays, others = agent.policy.q_net.state_dict(), again.policy.q_net.state_dict()
    assert all(torch.equal(arrays[name], others[name]) for name in arrays)


def test_dqn_round_trip_is_bit_exact(tmp_path, learned, observation):
    agent, env, _ = learned
    agent.save(tmp_path / "dqn")
    assert sorted(path.suffix for path in (tmp_path / "dqn").iterdir()) == [".json", ".safetensors"]
    loaded = DQN.load(tmp_path / "dqn")
    assert loaded.config == agent.config
    loaded.check_catalog(env.world.public_catalog)
    arrays, others = agent.policy.q_net.state_dict(), loaded.policy.q_net.state_dict()
    assert all(torch.equal(arrays[name], others[name]) for name in arrays)
    before, after = (one.act(observation, np.random.default_rng(0)) for one in (agent, loaded))
    np.testing.assert_array_equal(before.action, after.action)


def test_dueling_adds_a_level_and_is_kept(tmp_path, observation):
    config = DQNConfig(dim=16, learning_starts=100, decisions_per_update=32, dueling=True)
    env = make_native(16)
    env.reset(seed=4)
    agent = DQN(config).learn(env, 800, seed=0)
    network = agent.policy.q_net
    with torch.no_grad():
        tensors, _ = agent.policy.obs_to_tensor(observation)
        features = network.extract_features(tensors, network.features_extractor)
        expected = network.q_net.advantage(features) + network.q_net.level(features)
    values, _ = agent.score(observation)
    np.testing.assert_allclose(values, expected.numpy(), rtol=1e-6)
    assert network.q_net.level(features).std() > 0
    agent.save(tmp_path / "dqn")
    np.testing.assert_array_equal(DQN.load(tmp_path / "dqn").score(observation)[0], values)


def test_any_sequence_model_learns_online_and_is_kept(tmp_path, observation):
    env = make_native(16)
    env.reset(seed=4)
    config = DQNConfig(dim=16, learning_starts=100, decisions_per_update=32, encoder="sasrec")
    agent = DQN(config).learn(env, 800, seed=0)
    assert isinstance(agent.policy.q_net.features_extractor.encoder.sequence, SASRec)
    agent.save(tmp_path / "dqn")
    again = DQN.load(tmp_path / "dqn").score(observation)[0]
    np.testing.assert_array_equal(again, agent.score(observation)[0])
    with pytest.raises(ValueError, match=r"encoder: expected one of gru, .*, got 'lstm'"):
        DQNConfig(encoder="lstm")


def test_what_training_reports():
    env, seen = make_native(16), []
    env.reset(seed=4)
    config = DQNConfig(dim=16, learning_starts=100, decisions_per_update=32)
    agent = DQN(config).learn(env, 3_200, seed=0, progress=lambda step, total, metrics: seen.append(metrics))
    assert {"loss", "value", "exploration", "return"} <= set(seen[-1])
    largest = max(np.abs(agent.score(env.reset(seed=5)[0])[0]).max(), 0.1)
    assert 0 < abs(seen[-1]["value"]) <= 3 * largest


def test_the_learning_rate_falls_if_asked():
    rates = [DQN(DQNConfig(learning_rate=0.01))._learning_rate(ahead) for ahead in (1.0, 0.5, 0.0)]
    assert rates == [0.01, 0.01, 0.01]
    linear = DQNConfig(learning_rate=0.01, learning_rate_schedule="linear")
    assert [DQN(linear)._learning_rate(ahead) for ahead in (1.0, 0.5, 0.0)] == [0.01, 0.005, 0.0]


def test_dqn_refuses_slates_and_other_scenarios(learned, slate_observation):
    env = make_native(slate_size=10)
    with pytest.raises(ValueError, match="DQN needs a Discrete action space"):
        DQN().learn(env, 100, seed=0)
    with pytest.raises(ValueError, match=r"expected shape \[B, 1\]"):
        learned[0].act(slate_observation, np.random.default_rng(0))
    catalog = env.world.public_catalog
    with pytest.raises(ValueError, match="fingerprint"):
        learned[0].check_catalog(catalog._replace(topic=catalog.topic[::-1].copy()))


def test_an_empty_dqn_says_so(tmp_path, observation):
    with pytest.raises(RuntimeError, match="let the agent learn or load it first"):
        DQN().act(observation, np.random.default_rng(0))
    with pytest.raises(RuntimeError, match="let the agent learn or load it first"):
        DQN().save(tmp_path / "dqn")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gamma": 1.1}, r"gamma: expected in \[0, 1\]"),
        ({"learning_rate": 0.0}, "learning_rate: expected a finite number above 0"),
        ({"learning_rate_schedule": "cosine"}, "learning_rate_schedule: expected 'constant' or 'linear'"),
        ({"decisions_per_update": 0}, "decisions_per_update: expected a finite number above 0"),
    ],
)
def test_bad_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        DQNConfig(**changes)
