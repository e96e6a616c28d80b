"""Self-supervised Q-learning (SQN): a next-item head and a Q head on one encoder.

Source: Xin, Karatzoglou, Arapakis and Jose (2020), "Self-supervised reinforcement learning for recommender
systems", SIGIR.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from agents.learning.heads import HeadsNetwork, Minibatch, mean_over
from agents.value.value_learner import ValueConfig, ValueLearner


@dataclass(frozen=True)
class SQNConfig(ValueConfig):
    """Published settings (Xin et al. 2020, 4.1): history 10, size 64, gamma 0.5, batch 256, Adam at 0.005.

    Attributes:
        td_weight: factor of the TD loss beside the next-item loss; 0 is the supervised twin.
    """

    td_weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.td_weight) and self.td_weight >= 0):
            raise ValueError(f"td_weight: expected a finite number of at least 0, got {self.td_weight}")


class SQN(ValueLearner):
    """Two full copies; each update a fair coin says which is trained while the other judges its targets.

    Loss of a minibatch:  mean over clicked impressions of CE(next-item head, clicked item)
                          + td_weight * mean over all impressions of TD(Q head, shown item)

    Recommends by the next-item head as published; `acting_head="q"` is the control.
    """

    name = "sqn"
    config_class = SQNConfig

    def losses(self, main: HeadsNetwork, other: HeadsNetwork, batch: Minibatch) -> dict[str, Tensor]:
        weight = self.config.td_weight
        parts = {"next_item": mean_over(self.next_item_losses(main, batch)[0])}
        return {**parts, "td": weight * self.td(main, other, batch)} if weight > 0 else parts
