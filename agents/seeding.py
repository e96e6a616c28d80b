"""Randomness of training: explicit generators for our own networks, a closed scope for third-party code.

Nothing here ever leaves a trace in a process-wide generator (`random`, `numpy.random`, `torch`).
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def torch_generator(seed: int) -> torch.Generator:
    """A CPU `torch.Generator` seeded with `seed`."""
    return torch.Generator().manual_seed(seed)


def build(factory: Callable[[], ModuleT], generator: torch.Generator) -> ModuleT:
    """Construct a module and draw every parameter from `generator` alone.

    The constructors of `torch.nn` initialise from the global generator; on the `meta` device they draw
    nothing. The real storage is then allocated and filled by `initialise`. Buffers come back as zeros: fill
    them afterwards.

    Args:
        factory: makes the module, without arguments.
        generator: source of every initial value; advanced by the call.
    """
    with torch.device("meta"):
        module = factory()
    module = module.to_empty(device="cpu")
    for buffer in module.buffers():
        buffer.zero_()
    initialise(module, generator)
    return module


def deep_copy(module: ModuleT) -> ModuleT:
    """A module of the same values on the same device, recurrent weights in one piece as cuDNN wants them."""
    device = next(module.parameters()).device
    return copy.deepcopy(module).to(device)


@torch.no_grad()
def initialise(module: nn.Module, generator: torch.Generator | None) -> None:
    """Set every parameter of `module` in place, in the order of `named_parameters`.

    Biases: 0. GRU input weights: Glorot-uniform per gate; GRU recurrent weights: orthogonal per gate (Saxe
        et al. 2014).
    Embeddings: normal with standard deviation 0.1, row `padding_idx` 0. Layer normalisation: scales of 1.
        Other matrices: Glorot-uniform (Glorot and Bengio 2010).

    Args:
        module: on any device but `meta`.
        generator: source of every value; None is PyTorch's default one, for networks that another library
            seeds and builds.
    """
    embeddings = {id(child.weight): child for child in module.modules() if isinstance(child, nn.Embedding)}
    scales = {id(child.weight) for child in module.modules() if isinstance(child, nn.LayerNorm)}
    for name, parameter in module.named_parameters():
        leaf = name.rsplit(".", 1)[-1]
        if id(parameter) in embeddings:
            nn.init.normal_(parameter, std=0.1, generator=generator)
            padding = embeddings[id(parameter)].padding_idx
            if padding is not None:
                parameter[padding].zero_()
        elif id(parameter) in scales:
            parameter.fill_(1)
        elif parameter.dim() < 2:
            parameter.zero_()
        elif leaf.startswith("weight_hh"):
            for gate in parameter.chunk(3):
                nn.init.orthogonal_(gate, generator=generator)
        elif leaf.startswith("weight_ih"):
            for gate in parameter.chunk(3):
                nn.init.xavier_uniform_(gate, generator=generator)
        else:
            nn.init.xavier_uniform_(parameter, generator=generator)


@contextmanager
def scoped_global_rng(seed: int) -> Iterator[None]:
    """Seed the process-wide generators inside the block and restore them after it.

    For libraries that draw from global generators and offer no other way (Stable-Baselines3 draws its
    exploration from `numpy.random`, and initialises networks from `torch`'s default generator). Not
    thread-safe, as the generators are not.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        try:
            random.seed(seed)
            np.random.seed(seed % 2**32)
            torch.default_generator.manual_seed(seed)  # not those of GPUs, from which nothing is drawn
            yield
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)


def global_draws() -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Where the process-wide generators of NumPy and PyTorch are, inside `scoped_global_rng`.

    Stable-Baselines3 draws from these two while it learns, not from Python's own.

    Returns:
        (tensors, and what JSON can hold); `set_global_draws` goes on from there.
    """
    name, key, *rest = np.random.get_state()
    assert isinstance(key, np.ndarray)
    return {"torch": torch.get_rng_state(), "numpy": torch.from_numpy(key.copy())}, {"numpy": [name, *rest]}


def set_global_draws(tensors: Mapping[str, torch.Tensor], numbers: Mapping[str, Any]) -> None:
    """The opposite of `global_draws`; inside `scoped_global_rng`."""
    torch.set_rng_state(tensors["torch"])
    name, *rest = numbers["numpy"]
    np.random.set_state((name, tensors["numpy"].numpy(), *rest))


@contextmanager
def single_thread() -> Iterator[None]:
    """Run PyTorch on one thread inside the block.

    The networks here are small: a second thread costs more in waiting than it saves, and parallel seeds
        want the cores.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
