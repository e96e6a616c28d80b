"""The action space of slates."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from gymnasium import Space
from gymnasium.spaces import MultiDiscrete
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray


class SlateSpace(MultiDiscrete):
    """Slates of distinct items: ``MultiDiscrete`` whose samples never repeat an item within a slate.

    Args:
        num_items: N.
        shape: (K,) for one slate, (B, K) for a batch.
        seed: of ``sample``.
    """

    def __init__(
        self, num_items: int, shape: tuple[int, ...], seed: int | np.random.Generator | None = None
    ) -> None:
        super().__init__(np.full(shape, num_items, np.int64), seed=seed)
        self.num_items = num_items

    def sample(self, mask: Any = None, probability: Any = None) -> NDArray[np.int64]:
        """Draw slates uniformly among those without repeats.

        Rows with a repeat are drawn again, so a slate costs a few draws however large the catalog; a slate
        that takes much of the catalog is cut from a permutation instead.
        """
        if mask is not None or probability is not None:
            raise NotImplementedError("SlateSpace.sample takes neither mask nor probability")
        slate = self.shape[-1]
        rows = int(np.prod(self.shape[:-1], dtype=np.int64))
        if slate * slate > self.num_items:
            slates = np.argsort(self.np_random.random((rows, self.num_items)), axis=1)[:, :slate]
            return slates.astype(np.int64).reshape(self.shape)
        slates = self.np_random.integers(0, self.num_items, (rows, slate))
        pending = np.arange(rows)
        while len(pending):
            ordered = np.sort(slates[pending], axis=1)
            pending = pending[(ordered[:, 1:] == ordered[:, :-1]).any(axis=1)]
            slates[pending] = self.np_random.integers(0, self.num_items, (len(pending), slate))
        return slates.reshape(self.shape)

    def contains(self, x: Any) -> bool:
        """Whether every slate of ``x`` is in range and has no repeat."""
        if not super().contains(x):
            return False
        ordered = np.sort(np.asarray(x), axis=-1)
        return not bool((ordered[..., 1:] == ordered[..., :-1]).any())

    def __repr__(self) -> str:
        return f"SlateSpace({self.num_items}, {self.shape})"

    def __eq__(self, other: Any) -> bool:
        same_kind = isinstance(other, SlateSpace)
        return same_kind and self.num_items == other.num_items and self.shape == other.shape

    __hash__ = None  # type: ignore[assignment]

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copied = type(self)(self.num_items, self.shape)
        if self._np_random is not None:
            copied._np_random = np.random.Generator(type(self._np_random.bit_generator)())
            copied._np_random.bit_generator.state = self._np_random.bit_generator.state
        return copied


@batch_space.register(SlateSpace)
def _batch_slate_space(space: SlateSpace, n: int = 1) -> Space[Any]:
    return SlateSpace(space.num_items, (n, *space.shape))
