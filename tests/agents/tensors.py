"""Tensors in double precision, and gradients with respect to them."""

import torch


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def gradient_of(function, point):
    point = point.clone().requires_grad_(True)
    function(point).backward()
    return point.grad
