"""Convolutions over the image that tokens make."""

from __future__ import annotations

import torch
from torch import Tensor, nn

HEIGHTS = (2, 3, 4)
NUM_HORIZONTAL = 16
NUM_VERTICAL = 1


class Caser(nn.Module):
    """Horizontal filters find patterns of neighbouring tokens, vertical ones weigh the tokens.

    horizontal, h in (2, 3, 4): max over positions of relu(16 filters of h x D)
    vertical:                   relu(1 filter of T x 1), D numbers
    state:                      relu(W [all of them] + b)

    Absent tokens are zeros. Fewer tokens than h are padded with zeros in front.

    Source: Tang and Wang (2018), "Personalized top-N sequential recommendation via convolutional sequence
    embedding", section 3.2; the numbers and heights of filters are those of Xin et al. (2020), 4.1.4.
    """

    def __init__(self, dim: int, num_tokens: int) -> None:
        super().__init__()
        self.horizontal = nn.ModuleList([nn.Conv1d(dim, NUM_HORIZONTAL, height) for height in HEIGHTS])
        self.vertical = nn.Linear(num_tokens, NUM_VERTICAL)
        self.join = nn.Linear(len(HEIGHTS) * NUM_HORIZONTAL + NUM_VERTICAL * dim, dim)
        self.missing = max(0, max(HEIGHTS) - num_tokens)

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        image = (tokens * present.unsqueeze(-1)).transpose(1, 2)
        padded = nn.functional.pad(image, (self.missing, 0))
        patterns = [torch.relu(filters(padded)).amax(dim=2) for filters in self.horizontal]
        weighted = torch.relu(self.vertical(image)).flatten(1)
        return torch.relu(self.join(torch.cat([*patterns, weighted], dim=1)))
