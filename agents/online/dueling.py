"""A Q-network for Stable-Baselines3 with a level of the state that all items share."""

from __future__ import annotations

from stable_baselines3.dqn.policies import MultiInputPolicy, QNetwork
from torch import Tensor, nn


class DuelingHead(nn.Module):
    """[B, D] features -> [B, N] values: v(s) + A(s, a).

    Args:
        advantage: [B, D] -> [B, N], Stable-Baselines3's own network.
        features_dim: D.

    Source: Wang et al. (2016), as in `agents.encoders.DuelingScorer`.
    """

    def __init__(self, advantage: nn.Module, features_dim: int) -> None:
        super().__init__()
        self.advantage = advantage
        self.level = nn.Linear(features_dim, 1)

    def forward(self, features: Tensor) -> Tensor:
        values: Tensor = self.advantage(features) + self.level(features)
        return values


class DuelingPolicy(MultiInputPolicy):
    """`MultiInputPolicy` of Stable-Baselines3's DQN with a dueling Q-network."""

    def make_q_net(self) -> QNetwork:
        """As the policy's own, with `DuelingHead` around what computes values from features."""
        made: QNetwork = super().make_q_net()
        made.q_net = DuelingHead(made.q_net, made.features_dim).to(self.device)  # type: ignore[assignment]
        return made
