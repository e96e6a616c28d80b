"""The sequence models against computations of another kind: by hand, PyTorch's attention, causality."""

from __future__ import annotations

import pytest
import torch

from agents.encoders import ENCODERS
from agents.encoders.caser import Caser
from agents.encoders.nextitnet import NextItNet
from agents.encoders.sasrec import SASRec
from agents.seeding import build, initialise, torch_generator

TOKENS = torch.randn(3, 11, 8, generator=torch.Generator().manual_seed(0))
PRESENT = torch.arange(11) >= torch.tensor([[0], [4], [10]])


def made(kind, dim=8, length=11):
    model = build(lambda: kind(dim, length), torch_generator(1))
    with torch.no_grad():  # off the initial biases of 0
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch_generator(2)))
    return model


@pytest.mark.parametrize("name", ENCODERS)
def test_they_map_tokens_to_a_state_and_learn(name):
    model = made(ENCODERS[name])
    state = model(TOKENS, PRESENT)
    assert state.shape == (3, 8)
    state.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())


@pytest.mark.parametrize("name", ["caser", "nextitnet", "sasrec"])
def test_absent_tokens_are_not_read(name):
    model = made(ENCODERS[name])
    noise = torch.where(PRESENT.unsqueeze(-1), TOKENS, 100.0)
    torch.testing.assert_close(model(noise, PRESENT), model(TOKENS, PRESENT))


@pytest.mark.parametrize("name", ENCODERS)
def test_the_shortest_history_is_enough(name):
    model = made(ENCODERS[name], length=2)
    assert model(TOKENS[:, :2], PRESENT[:, -2:]).shape == (3, 8)


def test_scales_of_layer_normalisation_start_at_one():
    norm = torch.nn.LayerNorm(4)
    with torch.no_grad():
        norm.weight.zero_()
    initialise(norm, torch_generator(0))
    assert norm.weight.tolist() == [1.0] * 4
    assert norm.bias.tolist() == [0.0] * 4


def test_caser_by_hand():
    """Two dimensions, tokens (1, 0), (0, 1), (2, 2), (1, -1); all weights 0 but those named here.

    Height 2: the filter that sums both dimensions of both tokens sees 2, 5, 4 and keeps 5.
    Vertical: weights 1, 1, 0, 1 over time give (1 + 0 + 1, 0 + 1 - 1) = (2, 0).
    The state takes 10 times the first and 3 of the second: relu(50 - 3), relu(2).
    """
    model = build(lambda: Caser(2, 4), torch_generator(0))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.horizontal[0].weight[0] = 1.0
        model.vertical.weight[0] = torch.tensor([1.0, 1.0, 0.0, 1.0])
        model.join.weight[0, 0], model.join.bias[0] = 10.0, -3.0
        model.join.weight[1, 48] = 1.0
    tokens = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [2.0, 2.0], [1.0, -1.0]]])
    assert model(tokens, torch.ones(1, 4, dtype=torch.bool)).tolist() == [[47.0, 2.0]]


def test_sasrec_is_the_attention_of_pytorch():
    """The same block put together from `torch.nn.MultiheadAttention`, which scales and masks by itself."""
    model = made(SASRec)
    block = model.blocks[0]
    attention = torch.nn.MultiheadAttention(8, 1, batch_first=True)
    with torch.no_grad():
        parts = (block.query, block.key, block.value)
        attention.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        attention.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        attention.out_proj.weight.copy_(torch.eye(8))
        attention.out_proj.bias.zero_()
        # One user at a time, without the absent tokens: positions count from the end.
        for row in range(3):
            tokens = TOKENS[row, PRESENT[row]]
            length = len(tokens)
            x = (tokens * 8**0.5 + model.position.weight[-length:]).unsqueeze(0)
            causal = torch.nn.Transformer.generate_square_subsequent_mask(length)
            seen, _ = attention(block.attention_norm(x), x, x, attn_mask=causal)
            x = x + seen
            x = x + block.outer(torch.relu(block.inner(block.forward_norm(x))))
            expected = model.norm(x[0, -1])
            state = model(TOKENS[row : row + 1], PRESENT[row : row + 1])[0]
            torch.testing.assert_close(state, expected, rtol=1e-4, atol=1e-5)


def test_nextitnet_looks_back_only_and_all_the_way():
    """With kernel 3, six blocks reach 2 x (1 + 2 + 2 + 4) x 3 = 54 positions back."""
    model = made(NextItNet, length=60)
    tokens = torch.randn(1, 60, 8, generator=torch_generator(3)).requires_grad_(True)
    everywhere = torch.ones(1, 60, dtype=torch.bool)
    model(tokens, everywhere).sum().backward()
    reached = tokens.grad[0].abs().sum(dim=1) > 0
    assert reached.tolist() == [False] * 5 + [True] * 55
    # Blocks are causal: what comes later does not change an earlier position.
    with torch.no_grad():
        out = model.blocks[0](tokens)
        changed = tokens.clone()
        changed[:, 30:] += 1.0
        torch.testing.assert_close(model.blocks[0](changed)[:, :30], out[:, :30])
