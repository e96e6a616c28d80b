"""Simulated users that answer recommendations: a Gymnasium environment with known truth.

Importing this package registers the environment ids ``recsim_env/...``.
"""

from recsim_env.catalog import PublicCatalog
from recsim_env.config import (
    CandidateConfig,
    CatalogConfig,
    Change,
    ChoiceConfig,
    FunnelConfig,
    PopulationConfig,
    PreferenceConfig,
    ReturnConfig,
    RewardConfig,
    RunConfig,
    SessionConfig,
    WorldConfig,
)
from recsim_env.env import RecommenderEnv
from recsim_env.policy import Decision, Policy
from recsim_env.records import Event
from recsim_env.replay import Effect, Replay, UserTotals, replay
from recsim_env.rollout import Impressions, rollout
from recsim_env.scenarios import SCENARIOS, Scenario, get_scenario, register_all
from recsim_env.user_model import UserModel
from recsim_env.vector_env import RecommenderVectorEnv
from recsim_env.world import World

__version__ = "0.1.0"

__all__ = [
    "SCENARIOS",
    "CandidateConfig",
    "CatalogConfig",
    "Change",
    "ChoiceConfig",
    "Decision",
    "Effect",
    "Event",
    "FunnelConfig",
    "Impressions",
    "Policy",
    "PopulationConfig",
    "PreferenceConfig",
    "PublicCatalog",
    "RecommenderEnv",
    "RecommenderVectorEnv",
    "Replay",
    "ReturnConfig",
    "RewardConfig",
    "RunConfig",
    "Scenario",
    "SessionConfig",
    "UserModel",
    "UserTotals",
    "World",
    "WorldConfig",
    "get_scenario",
    "replay",
    "rollout",
]

register_all()
