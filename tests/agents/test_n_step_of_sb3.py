"""Our n-step returns against those of Stable-Baselines3's replay buffer, on the same log."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.buffers import NStepReplayBuffer

from agents import SQN, SQNConfig
from agents.learning.batches import LogTensors, gather

GAMMA = 0.8


@pytest.fixture(scope="module")
def agent(world, log):
    return SQN(SQNConfig(dim=8, epochs=0.2, batch_size=128)).fit(log, world.public_catalog, seed=0)


@pytest.fixture(scope="module")
def data(log, agent):
    return LogTensors.from_log(log, agent.spec)


@pytest.mark.parametrize("episodic", [False, True])
@pytest.mark.parametrize("n_steps", [1, 2, 5, 40])
def test_returns_discounts_and_where_values_take_over(log, data, n_steps, episodic):
    """Observations are row numbers: the next observation that the buffer gives names the last row, plus 1."""
    count = len(log)
    buffer = NStepReplayBuffer(
        count + 1,
        gym.spaces.Box(0, count, (1,)),
        gym.spaces.Discrete(60),
        n_steps=n_steps,
        gamma=GAMMA,
        handle_timeout_termination=not episodic,
    )
    ends = data.last.numpy()
    left = log.terminated
    for row in range(count):
        place = np.array([row], np.float32)
        cut = [{"TimeLimit.truncated": bool(ends[row] and not left[row])}]
        buffer.add(place, place + 1, log.action[row], log.reward[row : row + 1], ends[row : row + 1], cut)
    theirs = buffer._get_samples(np.arange(count))
    ours = data.n_step_return(torch.arange(count), GAMMA, n_steps, ends_with_log=episodic)
    torch.testing.assert_close(data.reward + ours.reward, theirs.rewards[:, 0], rtol=1e-5, atol=1e-5)
    assert torch.equal(ours.last_row + 1, theirs.next_observations[:, 0].long())
    torch.testing.assert_close(ours.discount, ((1 - theirs.dones) * theirs.discounts)[:, 0])
    assert (ends & ~left).any()
    assert left.any()


def test_targets_take_the_value_behind_the_last_reward(agent, data):
    later = SQN(SQNConfig(n_steps=3, gamma=GAMMA, bootstrap="logged"))
    main, other = agent.network
    inside = ~data.last
    row = int(torch.nonzero(inside[:-3] & inside[1:-2] & inside[2:-1])[0])
    with torch.no_grad():
        value = other.scores(gather(data.next_observation, torch.tensor([row + 2])), "q")
    earned = sum(GAMMA**k * data.reward[row + k] for k in range(3))
    expected = earned + GAMMA**3 * value[0, data.item[row + 3]]
    torch.testing.assert_close(later._target(main, other, data, torch.tensor([row]))[0], expected)


@pytest.mark.parametrize("wrong", [0, -1, 2.0])
def test_a_wrong_number_of_steps_is_named(wrong):
    with pytest.raises(ValueError, match="n_steps: expected a whole number of at least 1, got"):
        SQNConfig(n_steps=wrong)
