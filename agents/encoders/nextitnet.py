"""Dilated causal convolutions over tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

DILATIONS = (1, 2, 1, 2, 1, 2)
KERNEL = 3


class NextItNet(nn.Module):
    """The last position of six residual blocks of dilated causal convolutions with D channels.

    Source: Yuan et al. (2019), "A simple convolutional generative network for next item recommendation",
    section 3.3; kernel 3 and dilations 1, 2, 1, 2, 1, 2 as in the code of Xin et al. (2020).
    """

    def __init__(self, dim: int, num_tokens: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([_Block(dim, dilation) for dilation in DILATIONS])

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        mask = present.unsqueeze(-1)
        tokens = tokens * mask
        for block in self.blocks:
            tokens = block(tokens) * mask
        return tokens[:, -1]


class _Block(nn.Module):
    """x + f(x), f twice (convolution, layer normalisation, relu), the second at twice the dilation.

    Source: Yuan et al. (2019), figure 3b.
    """

    def __init__(self, dim: int, dilation: int) -> None:
        super().__init__()
        self.reach = (dilation * (KERNEL - 1), 2 * dilation * (KERNEL - 1))
        self.first = nn.Conv1d(dim, dim, KERNEL, dilation=dilation)
        self.first_norm = nn.LayerNorm(dim)
        self.second = nn.Conv1d(dim, dim, KERNEL, dilation=2 * dilation)
        self.second_norm = nn.LayerNorm(dim)

    def forward(self, tokens: Tensor) -> Tensor:
        out = torch.relu(self.first_norm(_causal(self.first, tokens, self.reach[0])))
        return tokens + torch.relu(self.second_norm(_causal(self.second, out, self.reach[1])))


def _causal(convolution: nn.Conv1d, tokens: Tensor, reach: int) -> Tensor:
    """[B, T, D] -> [B, T, D], position t from positions up to t."""
    padded = nn.functional.pad(tokens.transpose(1, 2), (reach, 0))
    out: Tensor = convolution(padded)
    return out.transpose(1, 2)
