"""Impressions -> figures: engagement, exploration, exposure and stylised facts, streamed."""

from recsim_env.metrics.click_facts import HEAD_RANKS, POPULARITY_CLICKS
from recsim_env.metrics.engagement import EngagementTally
from recsim_env.metrics.exploration import action_entropy, catalog_coverage, coverage_by_step
from recsim_env.metrics.exposure import average_popularity, gini, lorenz_curve, tail_items, tail_share
from recsim_env.metrics.fact_sheet import FactSheet
from recsim_env.metrics.facts import Fact
from recsim_env.metrics.items import ItemTally
from recsim_env.metrics.scorecard import Scorecard

__all__ = [
    "HEAD_RANKS",
    "POPULARITY_CLICKS",
    "EngagementTally",
    "Fact",
    "FactSheet",
    "ItemTally",
    "Scorecard",
    "action_entropy",
    "average_popularity",
    "catalog_coverage",
    "coverage_by_step",
    "gini",
    "lorenz_curve",
    "tail_items",
    "tail_share",
]
