"""The figures of one policy on one set of users: the usual ones, and all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from recsim_env.metrics.discovery import DiscoveryTally
from recsim_env.metrics.engagement import EngagementTally
from recsim_env.metrics.exploration import action_entropy, catalog_coverage, coverage_by_step
from recsim_env.metrics.exposure import (
    average_popularity,
    exposure_entropy,
    gini,
    lorenz_curve,
    tail_items,
    tail_share,
)
from recsim_env.metrics.fairness import SegmentTally, disparity
from recsim_env.metrics.items import ItemTally
from recsim_env.metrics.novelty import NoveltyTally, self_information
from recsim_env.metrics.regret import RegretTally
from recsim_env.metrics.states import StateTally
from recsim_env.metrics.taste import TasteTally

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog
    from recsim_env.rollout import Impressions


OF_EXPOSURE = ("popularity_lift", "segment_tail_gap")
"""What tallies of users say of exposure."""


class Scorecard:
    """Streams batches of impressions into metrics; scorecards of disjoint users merge into that of all.

    Exposure is counted by impression; with position weights every figure and curve of exposure stands there
    once more by weighted exposure, its name preceded by `examined_`.

    Args:
        base_popularity: [N] float64, the catalog's public base popularity.
        position_weight: [K] floats or None, see `ItemTally`; `World.position_weight` weighs by examination.
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

    def merge(self, other: Self) -> Self:
        """Add a scorecard over other users of the same catalog; returns itself."""
        self.engagement.merge(other.engagement)
        self.items.merge(other.items)
        return self

    def result(self) -> dict[str, float]:
        """Every scalar metric by name; see the functions of this package for the definitions."""
        figures = {
            **self.engagement.result(),
            "catalog_coverage": catalog_coverage(self.items.shown),
            "action_entropy": action_entropy(self.items.shown),
            **self._exposure(self.items.shown),
        }
        if self.items.position_weight is not None:
            examined = self._exposure(self.items.exposure)
            figures |= {f"examined_{name}": value for name, value in examined.items()}
        return figures

    def _exposure(self, exposure: np.ndarray) -> dict[str, float]:
        return {
            "exposure_gini": gini(exposure),
            "tail_share": tail_share(exposure, self.tail),
            "average_popularity": average_popularity(exposure, self.base_popularity),
            "exposure_entropy": exposure_entropy(exposure),
        }

    def curves(self) -> dict[str, np.ndarray]:
        """`cumulative_reward`, `survival`, `coverage` by step [T], and `lorenz` at 101 shares of items.

        With position weights also `examined_lorenz`.
        """
        reward = self.engagement.cumulative_reward()
        curves = {
            "cumulative_reward": reward,
            "survival": self.engagement.survival(),
            "coverage": coverage_by_step(self.items.first_step, len(reward)),
            "lorenz": lorenz_curve(self.items.shown),
        }
        if self.items.position_weight is not None:
            curves["examined_lorenz"] = lorenz_curve(self.items.exposure)
        return curves


class FullScorecard(Scorecard):
    """Every metric of this package in one pass: a `Scorecard`, and what needs the catalog or the truth.

    Feed whole episodes, each user's decisions in order and one row per user in a batch, as `rollout` yields
    them. Memory is O(N + users side by side x longest episode), however many users there are.

    Args:
        catalog: the world's public catalog.
        num_segments: S.
        position_weight: as in `Scorecard`.
        with_regret: whether batches hold the truth (`rollout(..., with_oracle=True)`).
    """

    def __init__(
        self,
        catalog: PublicCatalog,
        num_segments: int,
        position_weight: np.ndarray | None = None,
        with_regret: bool = True,
    ) -> None:
        super().__init__(catalog.base_popularity, position_weight)
        self.catalog = catalog
        self.regret = RegretTally() if with_regret else None
        self.novelty = NoveltyTally(len(catalog.topic))
        self.discovery = DiscoveryTally(catalog.topic, catalog.num_topics)
        self.states = StateTally(catalog.topic, catalog.num_topics, num_segments)
        self.taste = TasteTally(self.base_popularity, num_segments)
        self.segments = SegmentTally(self.tail, num_segments)
        self.examined_taste = self.examined_segments = None
        if position_weight is not None:
            self.examined_taste = TasteTally(self.base_popularity, num_segments, position_weight)
            self.examined_segments = SegmentTally(self.tail, num_segments, position_weight)

    def _tallies(self) -> list[str]:
        names = ["novelty", "discovery", "states", "taste", "segments"]
        optional = ["regret", "examined_taste", "examined_segments"]
        return names + [name for name in optional if getattr(self, name) is not None]

    def update(self, batch: Impressions) -> None:
        """Add one batch of decisions of whole episodes, as `rollout` yields them."""
        super().update(batch)
        for name in self._tallies():
            getattr(self, name).update(batch)

    def merge(self, other: Self) -> Self:
        """Add a scorecard over other users of the same catalog; returns itself."""
        super().merge(other)
        for name in self._tallies():
            getattr(self, name).merge(getattr(other, name))
        return self

    def result(self) -> dict[str, float]:
        """Every scalar metric by name; see the tallies and functions of this package for the definitions."""
        figures = super().result()
        for name in self._tallies():
            of_tally = getattr(self, name).result()
            if name.startswith("examined_"):
                of_tally = {f"examined_{key}": of_tally[key] for key in OF_EXPOSURE if key in of_tally}
            figures |= of_tally
        figures["system_novelty"] = self_information(self.items.shown, self.base_popularity)
        return figures

    def _exposure(self, exposure: np.ndarray) -> dict[str, float]:
        moved = disparity(exposure, self.base_popularity, self.catalog.topic)
        return super()._exposure(exposure) | {"topic_disparity": moved}

    def curves(self) -> dict[str, np.ndarray]:
        """Those of `Scorecard`, `new_topics` by step, and those of `RegretTally`."""
        curves = super().curves() | {"new_topics": self.discovery.curve()}
        return curves if self.regret is None else curves | self.regret.curves()
