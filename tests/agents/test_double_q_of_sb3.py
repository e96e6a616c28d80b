"""Our double-Q target against the one that Stable-Baselines3's DQN trains on, where the two coincide.

Stable-Baselines3 has no double Q-learning: its target network both chooses and judges. Ours does the same
when the selector is the judge. Its loss is Huber's, half the squared error while that is below 1.
"""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import DQN

from agents.losses import double_q_target, td_loss
from agents.seeding import scoped_global_rng

GAMMA = 0.7
COUNT = 12


class Idle(gym.Env):
    """Spaces and nothing else; transitions are put into the replay buffer by hand."""

    observation_space = gym.spaces.Box(-1, 1, (4,), np.float32)
    action_space = gym.spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        return np.zeros(4, np.float32), {}


def test_the_loss_of_sb3_is_ours_when_one_network_chooses_and_judges():
    draw = np.random.default_rng(0)
    seen, after = draw.uniform(-1, 1, (2, COUNT, 4)).astype(np.float32)
    action, reward = draw.integers(3, size=COUNT), draw.uniform(0, 0.3, COUNT).astype(np.float32)
    # A third of the users leave, a third of the sessions are cut: these go on bootstrapping.
    left, cut = np.arange(COUNT) % 3 == 0, np.arange(COUNT) % 3 == 1
    with scoped_global_rng(0):
        model = DQN("MlpPolicy", Idle(), gamma=GAMMA, buffer_size=COUNT, policy_kwargs={"net_arch": [8]})
        model.learn(0)
        # Away from the copy that the target network starts as.
        for parameter in model.q_net_target.parameters():
            parameter.data.add_(0.1)
        for row in range(COUNT):
            model.replay_buffer.add(
                seen[row],
                after[row],
                action[row : row + 1],
                reward[row : row + 1],
                np.array([left[row] or cut[row]]),
                [{"TimeLimit.truncated": bool(cut[row])}],
            )
        whole = model.replay_buffer._get_samples(np.arange(COUNT))
        model.replay_buffer.sample = lambda *args, **kwargs: whole
        with torch.no_grad():
            q_t = model.q_net(torch.from_numpy(seen))[torch.arange(COUNT), torch.from_numpy(action)]
            q_tp1 = model.q_net_target(torch.from_numpy(after))
        model.train(1, COUNT)
    discount = GAMMA * torch.from_numpy(~left).float()
    target = double_q_target(torch.from_numpy(reward), discount, q_tp1, q_tp1)
    assert (target - q_t).abs().max() < 1
    assert td_loss(q_t, target).mean().item() == pytest.approx(
        model.logger.name_to_value["train/loss"], rel=1e-5
    )
