"""Double deep Q-network from a log: the value learner of the textbooks, without a next-item loss.

Source: van Hasselt, Guez and Silver (2016), "Deep reinforcement learning with double Q-learning", AAAI.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from agents.learning.batches import LogTensors
from agents.learning.heads import HeadsNetwork, Minibatch
from agents.value.value_learner import ValueConfig, ValueLearner


@dataclass(frozen=True)
class DoubleDQNConfig(ValueConfig):
    """Settings of double DQN on the network of SQN.

    Attributes:
        acting_head: "q"; the next-item head is not trained, and so no items are sampled for its loss.
        target_interval: updates between copies of the online network into the target network.
    """

    acting_head: Literal["ce", "q"] = "q"
    target_interval: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.acting_head != "q":
            raise ValueError(f"acting_head: expected 'q', got {self.acting_head!r}")
        if self.num_sampled:
            raise ValueError(
                f"num_sampled: expected 0, since no next-item loss is computed, got {self.num_sampled}"
            )
        if self.target_interval < 1:
            raise ValueError(f"target_interval: expected at least 1, got {self.target_interval}")


class DoubleDQN(ValueLearner):
    """The first copy is trained and chooses next items, the second, a copy of it from a while ago, judges.

    Loss of a minibatch:  mean over all impressions of TD(Q head, shown item)
    """

    name = "double-dqn"
    config_class = DoubleDQNConfig

    def turn(
        self, data: LogTensors, done: float, generator: torch.Generator
    ) -> tuple[HeadsNetwork, HeadsNetwork, torch.optim.Optimizer]:
        """The first copy; now and then, in training, the second is made equal to it before."""
        online, target = self._copies()
        step = round(done * self.config.num_updates(len(data)))
        if online.training and step % self.config.target_interval == 0:
            target.load_state_dict(online.state_dict())
        return online, target, self._optimizers[0]

    def losses(self, main: HeadsNetwork, other: HeadsNetwork, batch: Minibatch) -> dict[str, Tensor]:
        return {"td": self.td(main, other, batch)}
