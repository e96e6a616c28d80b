"""Named worlds: a config, a horizon and what the world is for; registered with Gymnasium on import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium

from recsim_env.checked import nearest
from recsim_env.config import (
    PreferenceConfig,
    SessionConfig,
    WorldConfig,
)

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

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "Storefront-v0",
            "One of 1,000 items per step, to users whose satisfaction decides how long they stay.",
            STOREFRONT,
            100,
        ),
        Scenario(
            "StorefrontSlate-v0",
            "Slates of 10 from 10,000 items, to the users of Storefront.",
            STOREFRONT.replace(catalog={"num_items": 10_000}, slate_size=10),
            100,
        ),
        Scenario(
            "Memoryless-v0",
            "Nothing that is shown changes the user: the negative control in which myopia is optimal.",
            STOREFRONT.replace(
                preferences=PreferenceConfig(
                    satiation_weight=0.0,
                    satiation_shown=0.0,
                    satiation_consumed=0.0,
                    pull_click=0.0,
                    pull_like=0.0,
                    pull_purchase=0.0,
                ),
                session=SessionConfig(refund=0.0),
            ),
            100,
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
