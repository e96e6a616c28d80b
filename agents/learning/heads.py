"""One network design for supervised and value learners: a next-item head and a Q head on one encoder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from agents.choices import Choices, best_action
from agents.encoders import DuelingScorer, ItemScorer, ItemTable, SequenceEncoder
from agents.learning.batches import LogTensors, gather
from agents.learning.offline import OfflineAgent, TrainingConfig
from agents.losses import next_item_cross_entropy, sampled_cross_entropy
from agents.spec import ObservationSpec
from recsim_env import Decision


@dataclass(frozen=True)
class HeadConfig(TrainingConfig):
    """What learners with a next-item head can be set to.

    Attributes:
        num_sampled: items that stand for the whole catalog in the next-item loss, drawn anew, uniformly, for
            each minibatch; 0 sums over all items. What it saves, by size of the catalog:
            docs/agents.md.
    """

    num_sampled: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_sampled < 0:
            raise ValueError(f"num_sampled: expected at least 0, got {self.num_sampled}")


class HeadsNetwork(nn.Module):
    """Encoder, next-item head ("ce") and Q head ("q", `dueling` or not) over tied item representations."""

    def __init__(
        self, spec: ObservationSpec, num_topics: int, dim: int, encoder: str, dueling: bool = False
    ) -> None:
        super().__init__()
        self.encoder = SequenceEncoder(spec, num_topics, dim, encoder)
        self.ce = ItemScorer(spec.num_items, dim)
        self.q = DuelingScorer(spec.num_items, dim) if dueling else ItemScorer(spec.num_items, dim)

    def scores(self, observation: Mapping[str, Tensor], head: str, items: Tensor | None = None) -> Tensor:
        """Scores by the named head: [B, N] of every item, or [B, M] of chosen ones, [B, M] integer."""
        table = self.encoder.items()
        scorer: ItemScorer = getattr(self, head)
        state = self.encoder(observation, table)
        return scorer(state, table) if items is None else scorer.of_items(state, table, items)


@dataclass(frozen=True, eq=False)
class Minibatch:
    """b rows of a log, and what the network in training makes of them.

    Attributes:
        data: the whole log.
        rows: [b] int64.
        done: share of the training that lies behind.
        generator: source of every draw.
        table: [N + 1, D] item representations.
        state: [b, D].
        item, clicked: [b, K], what was shown, and whether it was clicked.
        q_t: [b, K], values of what was shown.
    """

    data: LogTensors
    rows: Tensor
    done: float
    generator: torch.Generator
    table: Tensor
    state: Tensor
    item: Tensor
    clicked: Tensor
    q_t: Tensor


class HeadLearner(OfflineAgent):
    """Minimises a sum of losses of `HeadsNetwork`, and acts greedily by one of its heads.

    There are as many copies of the network as the learner needs; the first one acts: the highest scores of
    its acting head (top-K for slates), so the propensity is 1.
    """

    num_copies: ClassVar[int] = 1
    learns_values: ClassVar[bool] = False

    @abstractmethod
    def losses(self, main: HeadsNetwork, other: HeadsNetwork, batch: Minibatch) -> dict[str, Tensor]:
        """Name -> scalar with gradient: the parts of the loss of `main`, which are added up."""

    def acting_head(self) -> str:
        """Name of the head that recommends: "ce" or "q"."""
        return "ce"

    def turn(
        self, data: LogTensors, done: float, generator: torch.Generator
    ) -> tuple[HeadsNetwork, HeadsNetwork, torch.optim.Optimizer]:
        """The copy to train now, the copy that judges its targets, and the optimizer."""
        (copy,) = self._copies()
        return copy, copy, self._optimizers[0]

    def make_copy(self) -> HeadsNetwork:
        """One freshly constructed copy."""
        return HeadsNetwork(self.spec, self.num_topics, self.config.dim, self.config.encoder)

    def make_network(self) -> nn.Module:
        return nn.ModuleList([self.make_copy() for _ in range(self.num_copies)])

    def item_tables(self) -> list[ItemTable]:
        return [copy.encoder.items for copy in self._copies()]

    def _copies(self) -> list[HeadsNetwork]:
        return [copy for copy in self.network.children() if isinstance(copy, HeadsNetwork)]

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
        """Update the copy whose turn it is; reports the loss, its parts and `value`, the mean of `q_t`."""
        main, other, optimizer = self.turn(data, done, generator)
        table = main.encoder.items()
        state = main.encoder(gather(data.observation, rows), table)
        item, clicked = data.item[rows], data.clicked[rows]
        q_t = main.q.of_items(state, table, item)
        parts = self.losses(
            main, other, Minibatch(data, rows, done, generator, table, state, item, clicked, q_t)
        )
        loss = torch.stack(list(parts.values())).sum()
        self.descend(optimizer, main, loss)
        reported = {"loss": loss, **parts} | ({"value": q_t.mean()} if self.learns_values else {})
        return {name: value.detach() for name, value in reported.items()}

    def next_item_losses(self, main: HeadsNetwork, batch: Minibatch) -> tuple[Tensor, Tensor, Tensor]:
        """Next-item loss of each clicked impression, [c], and its row and slot, [c] int64 each."""
        row, slot = batch.clicked.nonzero(as_tuple=True)
        state, item = batch.state[row], batch.item[row, slot]
        num_sampled, num_items = self.config.num_sampled, self.spec.num_items
        if num_sampled == 0:
            return next_item_cross_entropy(main.ce(state, batch.table), item), row, slot
        drawn = torch.randint(num_items, (num_sampled,), generator=batch.generator).to(item.device)
        loss = sampled_cross_entropy(
            main.ce.of_items(state, batch.table, item.unsqueeze(1)).squeeze(1),
            main.ce.of_shared(state, batch.table, drawn),
            drawn == item.unsqueeze(1),
            num_items,
        )
        return loss, row, slot

    def item_scores(self, observation: Mapping[str, Tensor], items: Tensor | None) -> Tensor:
        """Those of the first copy's acting head."""
        return self._copies()[0].scores(observation, self.acting_head(), items)

    def decide(
        self, observation: Mapping[str, Tensor], choices: Choices | None, generator: np.random.Generator
    ) -> Decision:
        """The choices with the highest scores of the first copy's acting head."""
        scores: Any = self.item_scores(observation, None if choices is None else choices.candidates).numpy()
        action = best_action(scores, choices, self.spec.slate_size)
        return Decision(action, np.ones(len(action)))


def mean_over(loss: Tensor) -> Tensor:
    """Mean of [c], 0 when nothing was clicked."""
    return loss.sum() / max(len(loss), 1)
