"""Impressions -> figures: engagement, exploration, exposure, regret, fairness, next-item ranks, facts."""

from recsim_env.metrics.click_facts import HEAD_RANKS, POPULARITY_CLICKS
from recsim_env.metrics.discovery import DiscoveryTally
from recsim_env.metrics.engagement import EngagementTally
from recsim_env.metrics.exploration import (
    action_entropy,
    catalog_coverage,
    coverage_by_step,
    coverage_by_user,
)
from recsim_env.metrics.exposure import (
    average_popularity,
    exposure_entropy,
    gini,
    lorenz_curve,
    tail_items,
    tail_share,
)
from recsim_env.metrics.fact_sheet import FactSheet
from recsim_env.metrics.facts import Fact
from recsim_env.metrics.fairness import SegmentTally, disparity, parity
from recsim_env.metrics.items import ItemTally
from recsim_env.metrics.novelty import NoveltyTally, self_information
from recsim_env.metrics.ranking import hit_rate, ndcg, ranks_of
from recsim_env.metrics.regret import RegretTally, lost_return
from recsim_env.metrics.scorecard import FullScorecard, Scorecard
from recsim_env.metrics.states import StateTally
from recsim_env.metrics.taste import TasteTally

__all__ = [
    "HEAD_RANKS",
    "POPULARITY_CLICKS",
    "DiscoveryTally",
    "EngagementTally",
    "Fact",
    "FactSheet",
    "FullScorecard",
    "ItemTally",
    "NoveltyTally",
    "RegretTally",
    "Scorecard",
    "SegmentTally",
    "StateTally",
    "TasteTally",
    "action_entropy",
    "average_popularity",
    "catalog_coverage",
    "coverage_by_step",
    "coverage_by_user",
    "disparity",
    "exposure_entropy",
    "gini",
    "hit_rate",
    "lorenz_curve",
    "lost_return",
    "ndcg",
    "parity",
    "ranks_of",
    "self_information",
    "tail_items",
    "tail_share",
]
