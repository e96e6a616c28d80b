"""Self-supervised actor-critic for recommendation (SAC): the Q head weighs the next-item loss.

Source: Xin et al. (2020), "Self-supervised reinforcement learning for recommender systems", section 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from agents.learning.heads import HeadsNetwork, Minibatch, mean_over
from agents.value.sqn import SQN, SQNConfig


@dataclass(frozen=True)
class SACRecConfig(SQNConfig):
    """SQN's settings.

    Attributes:
        warm_start: share of the updates, from the start, that are SQN's, so that values mean something when
            they begin to weigh; the authors' code has 15,000 updates.
    """

    warm_start: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.warm_start <= 1.0:
            raise ValueError(f"warm_start: expected in [0, 1], got {self.warm_start}")


class SACRec(SQN):
    """SQN, whose next-item losses are weighted by the values of their items: actor and critic.

    Loss of a minibatch:  mean over clicked impressions of Q(s, a) CE(next-item head, clicked item)
                          + td_weight * mean over all impressions of TD(Q head, shown item)

    No gradient flows through the weight. It is that of the trained copy, as published not bounded: a value
    below 0 unlearns its item. The authors continue with a smaller learning rate after the warm start; here
    the learning rate falls linearly throughout.
    """

    name = "sac-rec"
    config_class = SACRecConfig

    def losses(self, main: HeadsNetwork, other: HeadsNetwork, batch: Minibatch) -> dict[str, Tensor]:
        if batch.done < self.config.warm_start or self.config.td_weight == 0:
            return super().losses(main, other, batch)
        loss, row, slot = self.next_item_losses(main, batch)
        weighted = batch.q_t[row, slot].detach() * loss
        return {"next_item": mean_over(weighted), "td": self.config.td_weight * self.td(main, other, batch)}
