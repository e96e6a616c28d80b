"""How new what is shown is: to the user who sees it, and against what everybody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from recsim_env.metrics.exploration import total_of
from recsim_env.metrics.open_users import OpenUsers
from recsim_env.metrics.running import as_slates

if TYPE_CHECKING:
    from recsim_env.rollout import Impressions

COMPARISONS = 4_000_000
"""Items compared at a time, which bounds memory."""


def self_information(exposure: np.ndarray, base_popularity: np.ndarray) -> float:
    """The mean self-information of what was shown, in bits: high where the crowd's favourites stay away.

    - sum_i x_i log2 q_i / sum_i x_i,  q_i = pi_i / sum_j pi_j

    At least the entropy of exposure (Gibbs), with equality where items are shown in proportion to popularity.

    Args:
        exposure: [N] float or int, >= 0, not all 0.
        base_popularity: [N] float, > 0.

    Source: the mean self-information of Zhou et al. (2010), PNAS 107, with the catalog's base popularity as
    the probability that a user has met the item; pooled over users.

    Raises:
        ValueError: nothing was shown.
    """
    total = total_of("exposure", exposure)
    surprise = -np.log2(base_popularity / base_popularity.sum())
    return float(exposure @ surprise / total)


class NoveltyTally:
    """The share of impressions that are new to their user; remembers what users of the day have seen.

    New is an item that is neither in the history with which the user came nor was shown before in the
    episode.

    Args:
        num_items: N; the padding of histories.
    """

    def __init__(self, num_items: int) -> None:
        self.num_items = num_items
        self.impressions = self.new = 0
        self.open = OpenUsers({"seen": ((0,), np.int32), "count": ((), np.int64)})

    def update(self, batch: Impressions) -> None:
        """Add one batch of decisions, each user's in the order of time, one row per user."""
        action = as_slates(batch.action)
        if not action.size:
            return
        rows, fresh = self.open.rows(batch.user_id, batch.step)
        history = batch.observation["history_items"]
        self._note(rows[fresh], np.where(history[fresh] < self.num_items, history[fresh], -1))
        seen = self.open.columns["seen"]
        block = max(1, COMPARISONS // max(1, action.shape[1] * seen.shape[1]))
        for start in range(0, len(action), block):
            part = slice(start, start + block)
            known = (action[part, :, None] + 1 == seen[rows[part], None, :]).any(axis=2)
            self.new += int(np.count_nonzero(~known))
        self.impressions += action.size
        self._note(rows, action)
        self.open.close(batch.user_id[batch.terminated | batch.truncated])

    def _note(self, rows: NDArray[np.int64], items: NDArray[np.int64]) -> None:
        """Remember items [b, m] as seen, stored as item + 1, so that 0 (-1 here) is nothing."""
        if not len(rows):
            return
        count, width = self.open.columns["count"], items.shape[1]
        end = count[rows] + width
        seen = self.open.columns["seen"]
        missing = int(end.max()) - seen.shape[1]
        if missing > 0:
            seen = np.pad(seen, ((0, 0), (0, max(missing, seen.shape[1]))))
            self.open.columns["seen"] = seen
        seen[rows[:, None], count[rows, None] + np.arange(width)] = items + 1
        count[rows] = end

    def merge(self, other: NoveltyTally) -> Self:
        """Add the tally of other users; returns itself."""
        self.impressions += other.impressions
        self.new += other.new
        width = max(self.open.columns["seen"].shape[1], other.open.columns["seen"].shape[1])
        for tally in (self, other):
            seen = tally.open.columns["seen"]
            tally.open.columns["seen"] = np.pad(seen, ((0, 0), (0, width - seen.shape[1])))
        self.open.merge(other.open)
        return self

    def result(self) -> dict[str, float]:
        """`user_novelty` in [0, 1]: impressions of items new to their user / impressions.

        Source: the unseen-item novelty of Vargas and Castells (2011), sec. 4.1, with what the log shows the
        user to have seen in place of a model of it.
        """
        if not self.impressions:
            raise ValueError("update: expected at least one impression before result, got none")
        return {"user_novelty": self.new / self.impressions}
