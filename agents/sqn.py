"""Self-supervised Q-learning (SQN): a next-item head and a Q head on one recurrent encoder.

Source: Xin, Karatzoglou, Arapakis and Jose (2020), "Self-supervised reinforcement learning for recommender
systems", SIGIR.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from agents.batches import LogTensors, gather
from agents.choices import Choices, best_action
from agents.encoders import ItemScorer, ItemTable, SequenceEncoder
from agents.losses import double_q_target, next_item_cross_entropy, td_loss
from agents.offline import OfflineAgent, TrainingConfig
from agents.spec import ObservationSpec
from recsim_env import Decision


@dataclass(frozen=True)
class SQNConfig(TrainingConfig):
    """Published settings (Xin et al. 2020, 4.1): history 10, size 64, gamma 0.5, batch 256, Adam at 0.005.

    Attributes:
        gamma: discount of the TD loss, in [0, 1); 0 is the control without foresight.
        td_weight: factor of the TD loss beside the next-item loss; 0 is the supervised twin.
        acting_head: "ce" recommends by the next-item head as published, "q" by the Q head (a control).
    """

    gamma: float = 0.5
    td_weight: float = 1.0
    acting_head: Literal["ce", "q"] = "ce"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.gamma < 1.0:
            raise ValueError(f"gamma: expected in [0, 1), got {self.gamma}")
        if not (math.isfinite(self.td_weight) and self.td_weight >= 0):
            raise ValueError(f"td_weight: expected a finite number of at least 0, got {self.td_weight}")
        if self.acting_head not in ("ce", "q"):
            raise ValueError(f"acting_head: expected 'ce' or 'q', got {self.acting_head!r}")


class SQNetwork(nn.Module):
    """One copy: encoder, next-item head ("ce") and Q head ("q") over tied item representations."""

    def __init__(self, spec: ObservationSpec, num_topics: int, dim: int) -> None:
        super().__init__()
        self.encoder = SequenceEncoder(spec, num_topics, dim)
        self.ce = ItemScorer(spec.num_items, dim)
        self.q = ItemScorer(spec.num_items, dim)

    def scores(self, observation: Mapping[str, Tensor], head: str, items: Tensor | None = None) -> Tensor:
        """Scores by the named head: [B, N] of every item, or [B, M] of chosen ones, [B, M] integer."""
        table = self.encoder.items()
        scorer: ItemScorer = getattr(self, head)
        state = self.encoder(observation, table)
        return scorer(state, table) if items is None else scorer.of_items(state, table, items)


class SQN(OfflineAgent):
    """Two full copies; each update a fair coin says which is trained while the other judges its targets.

    Loss of a minibatch:  mean over clicked impressions of CE(next-item head, clicked item)
                          + td_weight * mean over all impressions of TD(Q head, shown item)

    The published logs hold clicks only. Ours keep the skips: they carry reward 0 into the TD loss and stay
    out of the next-item loss. Slates are credited by slot: a clicked slot gets its share of the row's
    reward, the other slots 0, and every slot bootstraps from the same next state (Ours: independent slots).
    Acts greedily by the chosen head of the first copy (top-K for slates), so the propensity is 1.
    """

    name = "sqn"
    config_class = SQNConfig

    def make_network(self) -> nn.Module:
        """The two copies."""
        return nn.ModuleList([SQNetwork(self.spec, self.num_topics, self.config.dim) for _ in range(2)])

    def item_tables(self) -> list[ItemTable]:
        """One of each copy."""
        return [copy.encoder.items for copy in self._copies()]

    def _copies(self) -> list[SQNetwork]:
        return [copy for copy in self.network.children() if isinstance(copy, SQNetwork)]

    def begin(self, data: LogTensors) -> list[torch.optim.Optimizer]:
        """One of each copy."""
        self._optimizers: list[torch.optim.Optimizer] = [
            torch.optim.Adam(copy.parameters(), lr=self.config.learning_rate, fused=True)
            for copy in self._copies()
        ]
        return self._optimizers

    def update(
        self, data: LogTensors, rows: Tensor, done: float, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Update one copy, whichever the coin says."""
        config: SQNConfig = self.config
        side = int(torch.randint(2, (), generator=generator))
        main, other = self._copies()[side], self._copies()[1 - side]
        table = main.encoder.items()
        state = main.encoder(gather(data.observation, rows), table)
        item, clicked = data.item[rows], data.clicked[rows]

        clicked_row, clicked_slot = clicked.nonzero(as_tuple=True)
        ce = next_item_cross_entropy(main.ce(state[clicked_row], table), item[clicked_row, clicked_slot])
        loss_ce = ce.sum() / max(len(ce), 1)

        loss_td = torch.zeros(())
        if config.td_weight > 0:
            target = self._target(main, other, data, rows)
            loss_td = td_loss(main.q.of_items(state, table, item), target).mean()

        loss = loss_ce + config.td_weight * loss_td
        self.descend(self._optimizers[side], main, loss)
        return {"loss": loss.detach(), "next_item": loss_ce.detach(), "td": loss_td.detach()}

    @torch.no_grad()
    def _target(self, main: SQNetwork, other: SQNetwork, data: LogTensors, rows: Tensor) -> Tensor:
        """[b, K] TD targets: `main` chooses the next item, `other` judges it.

        In dated worlds the next item is one on offer, if the log says the hour.
        """
        slot_reward = data.slot_reward[rows]
        if self.config.gamma == 0:
            return slot_reward
        following = gather(data.next_observation, rows)
        discount = self.config.gamma * data.continues[rows]
        chosen_by, table = main.scores(following, "q"), main.encoder.items
        if table.has_dates and "hour" in following:
            chosen_by = chosen_by.masked_fill(~table.on_offer(following["hour"]), -torch.inf)
        future = double_q_target(
            torch.zeros_like(discount), discount, chosen_by, other.scores(following, "q")
        )
        return slot_reward + future.unsqueeze(1)

    def item_scores(self, observation: Mapping[str, Tensor], items: Tensor | None) -> Tensor:
        """Those of the first copy's acting head."""
        return self._copies()[0].scores(observation, self.config.acting_head, items)

    def decide(
        self, observation: Mapping[str, Tensor], choices: Choices | None, generator: np.random.Generator
    ) -> Decision:
        """The choices with the highest scores of the first copy's acting head."""
        scored = None if choices is None else choices.candidates
        scores: Any = self._copies()[0].scores(observation, self.config.acting_head, scored).numpy()
        action = best_action(scores, choices, self.spec.slate_size)
        return Decision(action, np.ones(len(action)))
