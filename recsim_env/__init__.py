"""Simulated users that answer recommendations: a Gymnasium environment with known truth.

Importing this package registers the environment ids ``recsim_env/...``.
"""

from recsim_env.config import (
    CatalogConfig,
    ChoiceConfig,
    FunnelConfig,
    PopulationConfig,
    PreferenceConfig,
    RewardConfig,
    SessionConfig,
    WorldConfig,
)
from recsim_env.env import RecommenderEnv
from recsim_env.policy import Decision, Policy
from recsim_env.records import Event
from recsim_env.rollout import Impressions, rollout
from recsim_env.scenarios import SCENARIOS, Scenario, get_scenario, register_all
from recsim_env.user_model import UserModel
from recsim_env.vector_env import RecommenderVectorEnv
from recsim_env.world import World

__version__ = "0.1.0"

__all__ = [
    "SCENARIOS",
    "CatalogConfig",
    "ChoiceConfig",
    "Decision",
    "Event",
    "FunnelConfig",
    "Impressions",
    "Policy",
    "PopulationConfig",
    "PreferenceConfig",
    "RecommenderEnv",
    "RecommenderVectorEnv",
    "RewardConfig",
    "Scenario",
    "SessionConfig",
    "UserModel",
    "World",
    "WorldConfig",
    "get_scenario",
    "rollout",
]

register_all()
