"""A recurrent network over tokens."""

from __future__ import annotations

from torch import Tensor, nn


class GRU(nn.Module):
    """The last hidden state of one gated recurrent layer of D units; absent tokens are read as they are.

    Source: GRU4Rec, Hidasi et al. (2016), "Session-based recommendations with recurrent neural networks".
    """

    def __init__(self, dim: int, num_tokens: int) -> None:
        super().__init__()
        self.gru = nn.GRU(dim, dim, batch_first=True)

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        _, hidden = self.gru(tokens)
        last: Tensor = hidden[-1]
        return last
