"""An ensemble of Q heads on one encoder, and the double-Q targets of every head.

Source: Osband, Blundell, Pritzel and Van Roy (2016), "Deep exploration via bootstrapped DQN", NeurIPS;
van Hasselt, Guez and Silver (2016), "Deep reinforcement learning with double Q-learning", AAAI.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from agents.encoders import ItemScorer, SequenceEncoder
from agents.losses import double_q_target
from agents.spec import ObservationSpec


class EnsembleNetwork(nn.Module):
    """One encoder, H heads: Q_h(s, a) = v_h(s) + scorer_h(s, a)."""

    def __init__(
        self, spec: ObservationSpec, num_topics: int, dim: int, encoder: str, num_heads: int
    ) -> None:
        super().__init__()
        self.encoder = SequenceEncoder(spec, num_topics, dim, encoder)
        self.value = nn.Linear(dim, num_heads)
        self.heads = nn.ModuleList([ItemScorer(spec.num_items, dim) for _ in range(num_heads)])

    def forward(self, observation: Mapping[str, Tensor], items: Tensor | None = None) -> Tensor:
        """Q-values, [B, H, N], or [B, H, M] of [B, M] integer items."""
        table = self.encoder.items()
        state = self.encoder(observation, table)
        scores = [
            head(state, table) if items is None else head.of_items(state, table, items)  # type: ignore[operator]
            for head in self.heads
        ]
        return torch.stack(scores, dim=1) + self.value(state).unsqueeze(2)


@torch.no_grad()
def double_q_targets(
    network: EnsembleNetwork,
    target: EnsembleNetwork,
    rows: Mapping[str, Tensor],
    following: Mapping[str, Tensor],
) -> Tensor:
    """[b, H] targets, each head its own: `network` selects the next item, `target` says what it is worth.

    Args:
        rows: `reward` and `discount`, [b] each; 0 discount where nothing follows.
        following: the next observation; with its hour only what is on offer counts, where items have dates.
    """
    selector, judge = network(following), target(following)
    table, num_heads = network.encoder.items, selector.shape[1]
    if table.has_dates and "hour" in following:
        selector = selector.masked_fill(~table.on_offer(following["hour"]).unsqueeze(1), -torch.inf)
    flat = double_q_target(
        rows["reward"].repeat_interleave(num_heads),
        rows["discount"].repeat_interleave(num_heads),
        selector.flatten(0, 1),
        judge.flatten(0, 1),
    )
    return flat.view(-1, num_heads)
