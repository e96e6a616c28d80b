"""Bootstrapped DQN: heads, masks and targets by hand, propensities, files, refusals; learning on Tiny."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from agents import Acting, ActingConfig, BootstrappedDQN, BootstrappedDQNConfig
from agents.encoders import to_tensors
from agents.online.ensemble import double_q_targets
from agents.online.live import Service
from agents.online.replay import Replay
from agents.seeding import torch_generator
from recsim_env import RecommenderVectorEnv

SMALL = {"dim": 8, "num_heads": 3, "learning_starts": 200, "decisions_per_update": 100, "batch_size": 64}


def live(world, num_envs=100):
    env = RecommenderVectorEnv(
        num_envs, world=world, max_episode_steps=5, autoreset_mode=AutoresetMode.DISABLED
    )
    env.reset(seed=1_001)
    return env


@pytest.fixture(scope="module")
def learned(world):
    return BootstrappedDQN(BootstrappedDQNConfig(**SMALL)).learn(live(world), 2_000, seed=0)


def test_replay_keeps_the_latest():
    replay = Replay(5)
    for start in (0, 3, 6):
        replay.add({"row": np.arange(start, start + 3)})
    assert replay.size == 5
    drawn = replay.sample(1_000, torch_generator(0))["row"]
    assert set(drawn.tolist()) == {4, 5, 6, 7, 8}
    with pytest.raises(ValueError, match="columns: 6 rows, expected at most the capacity 5"):
        replay.add({"row": np.arange(6)})


def test_serving_hands_over_what_a_session_ended_with(world):
    env, draws = live(world, 50), np.random.default_rng(0)
    steps = list(Service(env, 500).steps(lambda seen: draws.integers(60, size=len(seen["segment"]))))
    assert [step.decisions for step in steps] == list(range(50, 501, 50))
    ended = np.stack([step.terminated | step.truncated for step in steps])
    for before, after in itertools.pairwise(steps):
        over = before.terminated | before.truncated
        for key, column in before.next_observation.items():
            np.testing.assert_array_equal(column[~over], after.observation[key][~over])
        assert (after.observation["session_step"][over] == 0).all()
        assert (before.next_observation["session_step"][over] > 0).all()
    returns = np.concatenate([step.returns for step in steps])
    assert len(returns) == ended.sum()
    assert returns.sum() <= sum(step.reward.sum() for step in steps)


def test_targets_are_each_heads_own(world, learned):
    """r + discount * judge(argmax of selector), head by head, written out."""
    network, judging = learned.network, copy.deepcopy(learned.network)
    with torch.no_grad():
        judging.value.bias.add_(1.0)  # the judge differs from the selector
    env = live(world, 20)
    step = next(Service(env, 20).steps(lambda seen: np.arange(20)))
    following = to_tensors(step.next_observation)
    rows = {"reward": torch.arange(20.0), "discount": torch.full((20,), 0.5)}
    target = double_q_targets(network, judging, rows, following)
    with torch.no_grad():
        selector, judge = network(following), judging(following)
    for row in range(20):
        for head in range(3):
            expected = row + 0.5 * judge[row, head, selector[row, head].argmax()]
            torch.testing.assert_close(target[row, head], expected)
    torch.testing.assert_close(judge - 1, selector)


def test_heads_differ_and_the_ensemble_acts_by_their_mean(learned, observation):
    values, _ = learned._values(observation)
    assert values.shape == (50, 3, 60)
    assert len({tuple(row) for row in values[:, :, 0].T.tolist()}) == 3
    action, propensity = learned.act(observation, np.random.default_rng(0))
    np.testing.assert_array_equal(action, values.mean(axis=1).argmax(axis=1))
    assert propensity.tolist() == [1.0] * 50


def test_a_drawn_head_states_how_many_agree(tmp_path, learned, observation):
    learned.save(tmp_path / "agent")
    agent = BootstrappedDQN.load(tmp_path / "agent")
    agent.config = BootstrappedDQNConfig(**SMALL, acting="head")
    shown = learned._values(observation)[0].argmax(axis=2)
    counts = np.zeros((50, 60))
    for seed in range(300):
        action, propensity = agent.act(observation, np.random.default_rng(seed))
        counts[np.arange(50), action] += 1
        np.testing.assert_allclose(propensity, (shown == action[:, None]).mean(axis=1))
    for item in range(60):
        stated = (shown == item).mean(axis=1)
        error = np.sqrt(stated * (1 - stated) / 300)
        assert (np.abs(counts[:, item] / 300 - stated) <= 5 * error).all()
    agent.config = BootstrappedDQNConfig(**SMALL, acting="vote")
    voted = agent.act(observation, np.random.default_rng(0)).action
    agreed = (shown[:, 0] == shown[:, 1]) | (shown[:, 0] == shown[:, 2]) | (shown[:, 1] == shown[:, 2])
    assert ((shown == voted[:, None]).sum(axis=1)[agreed] >= 2).all()


def test_learning_is_repeatable_and_survives_being_saved(tmp_path, world, learned, observation):
    again = BootstrappedDQN(BootstrappedDQNConfig(**SMALL)).learn(live(world), 2_000, seed=0)
    weights, other = learned.network.state_dict(), again.network.state_dict()
    assert all(torch.equal(weights[name], other[name]) for name in weights)
    learned.save(tmp_path / "agent")
    loaded = BootstrappedDQN.load(tmp_path / "agent")
    loaded.check_catalog(world.public_catalog)
    np.testing.assert_array_equal(learned._values(observation)[0], loaded._values(observation)[0])


def test_it_explores_by_a_rule_as_well(learned, observation):
    policy = Acting(learned, ActingConfig("gumbel", 0.05))
    action, propensity = policy.act(observation, np.random.default_rng(0))
    assert action.shape == (50,)
    np.testing.assert_allclose(policy.item_prob(observation)[np.arange(50), action], propensity)


def test_refusals(learned, slate_world, slate_observation, observation):
    draws = np.random.default_rng(0)
    with pytest.raises(RuntimeError, match="let the agent learn or load it first"):
        BootstrappedDQN().act(observation, draws)
    with pytest.raises(ValueError, match=r"last_slate.*expected shape \[B, 1\], got \[50, 10\]"):
        learned.act(slate_observation, draws)
    with pytest.raises(ValueError, match="Discrete action space"):
        BootstrappedDQN().learn(live(slate_world, 2), 10, seed=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_heads": 0}, "num_heads: expected a finite number above 0"),
        ({"mask_prob": 0.0}, r"mask_prob: expected in \(0, 1\]"),
        ({"gamma": 1.5}, r"gamma: expected in \[0, 1\]"),
        ({"acting": "sample"}, "acting: expected 'mean', 'head' or 'vote'"),
    ],
)
def test_bad_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        BootstrappedDQNConfig(**changes)
