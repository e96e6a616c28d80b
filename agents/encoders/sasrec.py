"""Self-attention over tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

NUM_BLOCKS = 1


class SASRec(nn.Module):
    """The last position of causal self-attention with one head of D units, position by position refined.

    x_t     = token_t sqrt(D) + E_position[t]
    block:    x <- x + attention(norm(x), x);  x <- x + W_2 relu(W_1 norm(x) + b_1) + b_2
    state   = norm(x_T)

    Absent tokens are zeros and attended by none.

    Source: Kang and McAuley (2018), "Self-attentive sequential recommendation", section III; one block and
    one head as in the code of Xin et al. (2020).
    """

    def __init__(self, dim: int, num_tokens: int) -> None:
        super().__init__()
        self.position = nn.Embedding(num_tokens, dim)
        self.blocks = nn.ModuleList([_Block(dim) for _ in range(NUM_BLOCKS)])
        self.norm = nn.LayerNorm(dim)

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        length, mask = tokens.shape[1], present.unsqueeze(-1)
        causal = torch.ones(length, length, dtype=torch.bool, device=tokens.device).tril()
        # An absent token attends to itself: a row without anything to attend to would be NaN.
        itself = torch.eye(length, dtype=torch.bool, device=tokens.device)
        attended = (causal & present.unsqueeze(1)) | itself
        tokens = (tokens * tokens.shape[2] ** 0.5 + self.position.weight) * mask
        for block in self.blocks:
            tokens = block(tokens, attended) * mask
        state: Tensor = self.norm(tokens[:, -1])
        return state


class _Block(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.attention_norm, self.forward_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.inner, self.outer = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, tokens: Tensor, attended: Tensor) -> Tensor:
        """[B, T, D], and [B, T, T] bool, whether the second position is seen from the first -> [B, T, D]."""
        query = self.query(self.attention_norm(tokens))
        seen = nn.functional.scaled_dot_product_attention(
            query, self.key(tokens), self.value(tokens), attn_mask=attended
        )
        tokens = tokens + seen
        refined: Tensor = self.outer(torch.relu(self.inner(self.forward_norm(tokens))))
        return tokens + refined
