"""Replay memory of whole batches of users, as tensors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.learning.batches import gather


class Replay:
    """The latest transitions, the oldest overwritten first.

    Args:
        capacity: transitions, at least 1.

    Attributes:
        size: how many it holds.
        next: place of the next one.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity, self.size, self.next = capacity, 0, 0
        self._columns: dict[str, Tensor] = {}

    def add(self, columns: Mapping[str, NDArray]) -> None:
        """Add a batch: name -> [B, ...], the same names, widths and dtypes every time; B <= capacity."""
        count = len(next(iter(columns.values())))
        if count > self.capacity:
            raise ValueError(f"columns: {count} rows, expected at most the capacity {self.capacity}")
        place = torch.arange(self.next, self.next + count) % self.capacity
        for name, column in columns.items():
            rows = torch.from_numpy(np.ascontiguousarray(column))
            if name not in self._columns:
                self._columns[name] = torch.zeros((self.capacity, *rows.shape[1:]), dtype=rows.dtype)
            self._columns[name][place] = rows
        self.next = (self.next + count) % self.capacity
        self.size = min(self.size + count, self.capacity)

    def take(self) -> dict[str, Tensor]:
        """What it holds, name -> [size, ...]; with `next` it is all that `restore` needs."""
        return {name: column[: self.size] for name, column in self._columns.items()}

    def restore(self, columns: Mapping[str, Tensor], place: int) -> None:
        """Hold what `take` gave when `next` was this place."""
        self.size, self.next = len(next(iter(columns.values()))), place
        for name, rows in columns.items():
            self._columns[name] = torch.zeros((self.capacity, *rows.shape[1:]), dtype=rows.dtype)
            self._columns[name][: self.size] = rows

    def sample(self, batch_size: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Rows drawn uniformly with replacement: name -> [batch_size, ...]."""
        return gather(self._columns, torch.randint(self.size, (batch_size,), generator=generator))
