"""Which items were shown: counts per item, from which exploration and exposure are computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from recsim_env.metrics.running import as_slates, weights_of

if TYPE_CHECKING:
    from recsim_env.rollout import Impressions

NEVER = np.iinfo(np.int32).max
NOBODY = np.iinfo(np.int64).max


class ItemTally:
    """Impressions per item and the earliest session step at which each was shown, in O(num_items) memory.

    Args:
        num_items: N, the size of the catalog; items are 0..N-1.
        position_weight: [K] float64 >= 0, what one impression counts at each position. Default: 1
            everywhere (impression-level). Examination probabilities make `exposure` an expected examined
            exposure.

    Attributes:
        shown: [N] int64, impressions per item.
        exposure: [N] float64, impressions weighted by position; equal to `shown` without weights.
        first_step: [N] int32, the smallest session step at which the item was shown to any user; NEVER
            where it was not.
        first_user: [N] int64, the smallest id of a user to whom it was shown; NOBODY where it was not.
    """

    def __init__(self, num_items: int, position_weight: np.ndarray | None = None) -> None:
        if num_items < 1:
            raise ValueError(f"num_items: expected at least 1, got {num_items}")
        if position_weight is not None:
            position_weight = np.asarray(position_weight, dtype=np.float64)
            if position_weight.ndim != 1 or not np.all(position_weight >= 0):
                raise ValueError(f"position_weight: expected [K] numbers >= 0, got {position_weight!r}")
        self.position_weight = position_weight
        self.shown = np.zeros(num_items, dtype=np.int64)
        self.exposure = np.zeros(num_items)
        self.first_step = np.full(num_items, NEVER, dtype=np.int32)
        self.first_user = np.full(num_items, NOBODY, dtype=np.int64)

    def update(self, batch: Impressions) -> None:
        """Add one batch of decisions: every item of every slate is one impression."""
        action = as_slates(batch.action)
        items = action.ravel()
        if items.size == 0:
            return
        if items.min() < 0 or items.max() >= len(self.shown):
            row = int(np.flatnonzero(((action < 0) | (action >= len(self.shown))).any(axis=1))[0])
            last = len(self.shown) - 1
            raise ValueError(f"action[{row}]: expected items in [0, {last}], got {action[row].tolist()}")
        np.add.at(self.shown, items, 1)
        weight = weights_of(self.position_weight, action.shape[1])
        np.add.at(self.exposure, items, np.broadcast_to(weight, action.shape).ravel())
        np.minimum.at(self.first_step, items, np.repeat(batch.step, action.shape[1]).astype(np.int32))
        np.minimum.at(self.first_user, items, np.repeat(batch.user_id, action.shape[1]))

    def merge(self, other: ItemTally) -> Self:
        """Add the counts of a tally over other users; returns itself."""
        if len(self.shown) != len(other.shown):
            raise ValueError(
                f"other: expected a tally of {len(self.shown)} items, got one of {len(other.shown)}"
            )
        self.shown += other.shown
        self.exposure += other.exposure
        np.minimum(self.first_step, other.first_step, out=self.first_step)
        np.minimum(self.first_user, other.first_user, out=self.first_user)
        return self
