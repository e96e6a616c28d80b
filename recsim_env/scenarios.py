"""Named worlds: a config, a horizon and what the world is for; registered with Gymnasium on import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium

from recsim_env.checked import nearest
from recsim_env.config import Change, WorldConfig

NAMESPACE = "recsim_env"


@dataclass(frozen=True)
class Scenario:
    """A named world.

    Attributes:
        name: with version, such as 'Storefront-v0'; the Gymnasium id is 'recsim_env/' + name.
        purpose: one sentence.
        config: the world.
        max_episode_steps: steps after which an episode is truncated.
    """

    name: str
    purpose: str
    config: WorldConfig
    max_episode_steps: int

    @property
    def id(self) -> str:
        """The Gymnasium id."""
        return f"{NAMESPACE}/{self.name}"


STOREFRONT = WorldConfig()
ENDLESS = {"patience_scale": 1e6, "step_cost": 1e-3, "refund": 0.0}
"""A session that only the horizon ends."""
UNMOVED = {
    "pull_click": 0.0,
    "pull_like": 0.0,
    "pull_purchase": 0.0,
    "taste_pull": 0.0,
    "drift_scale": 0.0,
}
"""Interest that stays where it is."""
UNTIRED = {"satiation_weight": 0.0, "satiation_shown": 0.0, "satiation_consumed": 0.0}
"""Topics that are never too much."""
ONLY_CLICKS = {"click": 1.0, "like": 0.0, "purchase": 0.0}

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "Storefront-v0",
            "One of 1,000 items per step, to users whose satisfaction decides how long they stay.",
            STOREFRONT,
            200,
        ),
        Scenario(
            "StorefrontSlate-v0",
            "Slates of 10 from 10,000 items, to the users of Storefront.",
            STOREFRONT.replace(catalog={"num_items": 10_000}, slate_size=10),
            200,
        ),
        Scenario(
            "Memoryless-v0",
            "Nothing that is shown changes the user: the negative control in which myopia is optimal.",
            STOREFRONT.replace(
                preferences=UNTIRED | {"pull_click": 0.0, "pull_like": 0.0, "pull_purchase": 0.0},
                session={"refund": 0.0},
            ),
            200,
        ),
        Scenario(
            "Boredom-v0",
            "More of the same topic becomes worthless, recovers, and drives users away: diversity pays.",
            STOREFRONT.replace(
                catalog={"appeal_scale": 0.3, "quality_appeal_correlation": 0.0},
                preferences={
                    "satiation_weight": 6.0,
                    "satiation_shown": 0.1,
                    "satiation_consumed": 0.3,
                    "satiation_recovery": 0.9,
                },
                session={"patience_scale": 60.0, "refund": 0.0, "boredom_cost": 5.0},
            ),
            100,
        ),
        Scenario(
            "LongTermSatisfaction-v0",
            "Clickbait against nourishing items: satisfaction moves slowly and decides all clicks to come.",
            STOREFRONT.replace(
                catalog={
                    "num_items": 50,
                    "appeal_scale": 1.0,
                    "quality_appeal_correlation": -0.95,
                },
                population={"conformity_mean": 0.0, "conformity_std": 0.0, "price_sensitivity_std": 0.0},
                choice={"affinity_weight": 0.0, "no_click_utility": 1.0},
                funnel={"like_match": 0.0, "purchase_match": 0.0},
                preferences=UNTIRED | UNMOVED | {"satisfaction_memory": 0.9, "satisfaction_weight": 7.0},
                session=ENDLESS,
                reward=ONLY_CLICKS,
            ),
            60,
        ),
        Scenario(
            "InterestEvolution-v0",
            "What users consume moves what they want, and good topics keep them: steering pays.",
            STOREFRONT.replace(
                catalog={
                    "topic_quality_share": 0.8,
                    "quality_appeal_correlation": 0.0,
                    "appeal_scale": 0.5,
                },
                preferences=UNTIRED
                | {
                    "pull_click": 0.15,
                    "pull_like": 0.2,
                    "pull_purchase": 0.2,
                    "taste_pull": 0.0,
                    "drift_scale": 0.01,
                },
            ),
            100,
        ),
        Scenario(
            "InterestExploration-v0",
            "Strangers of unknown type, items of unknown quality, nothing moves: finding out pays.",
            STOREFRONT.replace(
                catalog={"quality_appeal_correlation": 0.0, "appeal_scale": 1.0},
                population={
                    "num_segments": 1,
                    "second_topic_weight": 0.0,
                    "taste_noise": 0.3,
                    "cold_share": 1.0,
                },
                preferences=UNTIRED | UNMOVED,
                session={"patience_scale": 40.0, "refund": 0.0},
            ),
            100,
        ),
        Scenario(
            "PriceTiers-v0",
            "A platform of cheap goods, which counts purchases; its luxury twin counts revenue.",
            STOREFRONT.replace(
                catalog={"price_median": 8.0, "price_log_std": 0.6},
                population={"price_sensitivity_mean": 0.6, "price_sensitivity_std": 0.1},
                funnel={"purchase_bias": -1.0},
                reward={"click": 0.2, "like": 0.5, "purchase": 1.0, "price_exponent": 0.0},
            ),
            100,
        ),
        Scenario(
            "PriceTiersLuxury-v0",
            "The luxury twin of PriceTiers: dear items, rare purchases, rewarded by what they bring in.",
            STOREFRONT.replace(
                catalog={"price_median": 600.0, "price_log_std": 0.8},
                population={"price_sensitivity_mean": 0.8, "price_sensitivity_std": 0.1},
                funnel={"purchase_bias": 1.2},
                reward={"click": 0.2, "like": 0.5, "purchase": 0.02, "price_exponent": 1.0},
            ),
            100,
        ),
        Scenario(
            "Tiny-v0",
            "6 items, 3 kinds of users, 6 steps: small enough for exact dynamic programming.",
            STOREFRONT.replace(
                catalog={
                    "seed": 21,  # every topic has two items
                    "num_items": 6,
                    "embedding_dim": 4,
                    "num_topics": 3,
                    "appeal_scale": 1.0,
                },
                population={
                    "num_segments": 3,
                    "segment_strength": 1.0,
                    "second_topic_weight": 0.0,
                    "taste_noise": 0.0,
                    "interest_noise": 0.0,
                    "conformity_std": 0.0,
                    "price_sensitivity_std": 0.0,
                    "cold_share": 1.0,
                },
                choice={"affinity_weight": 3.0, "no_click_utility": 1.0},
                preferences=UNMOVED
                | {
                    "satiation_weight": 3.0,
                    "satiation_shown": 0.0,
                    "satiation_consumed": 0.4,
                    "satisfaction_memory": 0.6,
                    "satisfaction_weight": 8.0,
                },
                session=ENDLESS,
                reward=ONLY_CLICKS,
            ),
            6,
        ),
        Scenario(
            "Lifetime-v0",
            "Several visits: satisfied users are back sooner, dissatisfied ones never; 30 days count.",
            STOREFRONT.replace(
                session={"patience_scale": 12.0},
                returns={"lifetime_hours": 720.0},
            ),
            300,
        ),
        Scenario(
            "TwoStage-v0",
            "A first stage offers 100 of 100,000 items at each step, some of them sold out; one is shown.",
            STOREFRONT.replace(
                catalog={"num_items": 100_000, "shelf_hours": 6_480.0},
                candidates={"num_candidates": 100, "candidate_draws": 2},
                run={"run_hours": 720.0},
            ),
            100,
        ),
        Scenario(
            "FreshCatalog-v0",
            "Items come, are wanted most while they are new, and go, all through a run of 30 days.",
            STOREFRONT.replace(
                catalog={"num_items": 2_000, "shelf_hours": 720.0},
                choice={"freshness_weight": 4.0, "freshness_half_life": 96.0},
                run={"run_hours": 720.0},
            ),
            100,
        ),
        Scenario(
            "Drift-v0",
            "Tastes and appeal change at declared hours: at once, slowly, to and fro, for some or for all.",
            STOREFRONT.replace(
                run={"run_hours": 720.0},
                drift=(
                    Change("sudden", start=168.0, topic_shift=5, taste_share=1.0, appeal_share=0.7),
                    Change("gradual", start=336.0, length=120.0, topic_shift=10, taste_share=1.0),
                    Change("sudden", start=552.0, topic_shift=15, taste_share=1.0, segment=0),
                    Change("recurring", start=0.0, length=168.0, appeal_share=0.3),
                ),
            ),
            100,
        ),
        Scenario(
            "StorefrontCalibrated-v0",
            "StorefrontSlate with sessions as short and feedback as sparse as in real logs: docs/facts.md.",
            STOREFRONT.replace(
                catalog={"num_items": 10_000, "popularity_exponent": 1.2},
                choice={"no_click_utility": 7.5},
                funnel={"like_bias": -6.3, "purchase_bias": -4.3},
                session={"patience_scale": 3.0, "patience_shape": 1.6},
                returns={"lifetime_hours": 216.0, "gap_median": 7.0, "gap_log_std": 1.5},
                slate_size=10,
            ),
            300,
        ),
    )
}


def get_scenario(name: str) -> Scenario:
    """The scenario of a name or Gymnasium id.

    Raises:
        ValueError: when there is none; the message lists the nearest names.
    """
    short = name.removeprefix("recsim_env:").removeprefix(f"{NAMESPACE}/")
    if short not in SCENARIOS:
        raise ValueError(f"unknown scenario {name!r}; {nearest(short, SCENARIOS)}")
    return SCENARIOS[short]


def register_all() -> None:
    """Make every scenario known to ``gymnasium.make`` and ``gymnasium.make_vec``."""
    for scenario in SCENARIOS.values():
        gymnasium.register(
            id=scenario.id,
            entry_point="recsim_env.env:RecommenderEnv",
            vector_entry_point="recsim_env.vector_env:RecommenderVectorEnv",
            max_episode_steps=scenario.max_episode_steps,
            kwargs={"scenario": scenario.name},
        )


def world_config(scenario: str, overrides: dict[str, Any]) -> WorldConfig:
    """The scenario's config with some parts replaced, as ``gymnasium.make(id, **overrides)`` does."""
    return get_scenario(scenario).config.replace(**overrides)
