"""Conservative Q-learning (CQL): double DQN whose values of what was not logged are held down.

Source: Kumar, Zhou, Tucker and Levine (2020), "Conservative Q-learning for offline reinforcement learning",
NeurIPS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from agents.learning.heads import HeadsNetwork, Minibatch
from agents.losses import conservative_loss
from agents.value.double_dqn import DoubleDQN, DoubleDQNConfig


@dataclass(frozen=True)
class CQLConfig(DoubleDQNConfig):
    """Double DQN's settings.

    Attributes:
        conservatism: alpha, factor of the conservative loss; 0 is double DQN.
    """

    conservatism: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.conservatism) and self.conservatism >= 0):
            raise ValueError(f"conservatism: expected a finite number of at least 0, got {self.conservatism}")


class CQL(DoubleDQN):
    """Double DQN with the CQL(H) regulariser.

    Loss of a minibatch:  mean over all impressions of TD(Q head, shown item)
                          + conservatism * mean over all impressions of (log sum_a exp Q(s, a) - Q(s, shown))
    """

    name = "cql"
    config_class = CQLConfig

    def losses(self, main: HeadsNetwork, other: HeadsNetwork, batch: Minibatch) -> dict[str, Tensor]:
        parts = super().losses(main, other, batch)
        q_all = main.q(batch.state, batch.table)
        gap = conservative_loss(q_all, batch.q_t.mean(dim=1)).mean()
        return {**parts, "conservative": self.config.conservatism * gap}
