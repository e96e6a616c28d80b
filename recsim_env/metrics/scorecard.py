"""All figures of one policy on one set of users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from recsim_env.metrics.engagement import EngagementTally
from recsim_env.metrics.exploration import action_entropy, catalog_coverage, coverage_by_step
from recsim_env.metrics.exposure import average_popularity, gini, lorenz_curve, tail_items, tail_share
from recsim_env.metrics.items import ItemTally

if TYPE_CHECKING:
    from recsim_env.rollout import Impressions


class Scorecard:
    """Streams batches of impressions into every metric; scorecards of disjoint users merge into that of all.

    Args:
        base_popularity: [N] float64, the catalog's public base popularity.
        position_weight: [K] float64 or None, see `ItemTally`.
    """

    def __init__(self, base_popularity: np.ndarray, position_weight: np.ndarray | None = None) -> None:
        self.base_popularity = np.asarray(base_popularity, dtype=np.float64)
        self.tail = tail_items(self.base_popularity)
        self.engagement = EngagementTally()
        self.items = ItemTally(len(self.base_popularity), position_weight)

    def update(self, batch: Impressions) -> None:
        """Add one batch of decisions of whole episodes, as `rollout` yields them."""
        self.engagement.update(batch)
        self.items.update(batch)

    def merge(self, other: Scorecard) -> Self:
        """Add a scorecard over other users of the same catalog; returns itself."""
        self.engagement.merge(other.engagement)
        self.items.merge(other.items)
        return self

    def result(self) -> dict[str, float]:
        """Every scalar metric by name; see the functions of this package for the definitions."""
        exposure = self.items.exposure
        return {
            **self.engagement.result(),
            "catalog_coverage": catalog_coverage(self.items.shown),
            "action_entropy": action_entropy(self.items.shown),
            "exposure_gini": gini(exposure),
            "tail_share": tail_share(exposure, self.tail),
            "average_popularity": average_popularity(exposure, self.base_popularity),
        }

    def curves(self) -> dict[str, np.ndarray]:
        """`cumulative_reward`, `survival`, `coverage` by step [T], and `lorenz` at 101 shares of items."""
        reward = self.engagement.cumulative_reward()
        return {
            "cumulative_reward": reward,
            "survival": self.engagement.survival(),
            "coverage": coverage_by_step(self.items.first_step, len(reward)),
            "lorenz": lorenz_curve(self.items.exposure),
        }
