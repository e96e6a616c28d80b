"""SQN with negative samples (SNQN): items that were not shown are taught to be worth nothing at once.

Source: Xin, Karatzoglou, Arapakis and Jose (2022), "Supervised advantage actor-critic for recommender
systems", WSDM, section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agents.learning.batches import gather
from agents.learning.heads import HeadsNetwork, Minibatch
from agents.losses import negative_td_loss
from agents.value.sqn import SQN, SQNConfig


@dataclass(frozen=True)
class SNQNConfig(SQNConfig):
    """Published settings are those of SQN, with ten negatives.

    Attributes:
        num_negatives: J, items drawn for each decision.
    """

    num_negatives: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_negatives < 1:
            raise ValueError(f"num_negatives: expected at least 1, got {self.num_negatives}")


class SNQN(SQN):
    """SQN, whose Q head also learns from items that were not shown.

    Added to SQN's loss:  td_weight * mean over decisions of sum_j TD(Q head, negative j)

    Negatives are uniform over the items that were not shown. They earn nothing and leave the user where they
    were: their target is gamma times the value of the same state.
    """

    name = "snqn"
    config_class = SNQNConfig

    def losses(self, main: HeadsNetwork, other: HeadsNetwork, batch: Minibatch) -> dict[str, Tensor]:
        parts = super().losses(main, other, batch)
        if self.config.td_weight == 0:
            return parts
        q_negative = main.q.of_items(batch.state, batch.table, self.negatives(batch))
        return parts | self.negative_part(main, other, batch, q_negative)

    def negatives(self, batch: Minibatch) -> Tensor:
        """[b, J] int64, uniform over the items that the row did not show."""
        return not_shown(batch.item, self.config.num_negatives, self.spec.num_items, batch.generator)

    def negative_part(
        self, main: HeadsNetwork, other: HeadsNetwork, batch: Minibatch, q_negative: Tensor
    ) -> dict[str, Tensor]:
        """The negatives' part of the loss; their values are [b, J]."""
        target = self._negative_target(main, other, batch)
        loss = negative_td_loss(q_negative, target).mean()
        return {"negative": self.config.td_weight * loss}

    @torch.no_grad()
    def _negative_target(self, main: HeadsNetwork, other: HeadsNetwork, batch: Minibatch) -> Tensor:
        if self.config.gamma == 0:
            return batch.q_t.new_zeros(len(batch.rows))
        observation = gather(batch.data.observation, batch.rows)
        encoded = batch.state, batch.table
        value: Tensor = self.config.gamma * self._state_value(main, other, observation, batch.item, encoded)
        return value


def not_shown(item: Tensor, num_draws: int, num_items: int, generator: torch.Generator) -> Tensor:
    """Items drawn uniformly, with replacement, from those that a row did not show.

    Args:
        item: [b, K] int64, distinct per row, K < N.
        num_draws: J.
        num_items: N.
        generator: source of b x J draws.

    Returns:
        [b, J] int64.
    """
    drawn = torch.randint(num_items - item.shape[1], (len(item), num_draws), generator=generator)
    drawn = drawn.to(item.device)
    for column in item.sort(dim=1).values.T:  # the drawn-th of those that are left
        drawn += column.unsqueeze(1) <= drawn
    return drawn
