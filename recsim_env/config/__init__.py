"""Every parameter of a world: frozen dataclasses, checked when they are made, with a JSON round trip."""

from recsim_env.config.catalog import CandidateConfig, CatalogConfig
from recsim_env.config.platform import MAX_CHANGES, Change, ChangeKind, RewardConfig, RunConfig
from recsim_env.config.users import (
    ChoiceConfig,
    ChoiceModel,
    FunnelConfig,
    PopulationConfig,
    PreferenceConfig,
    ReturnConfig,
    SessionConfig,
)
from recsim_env.config.world import CONFIG_SCHEMA, WorldConfig

__all__ = [
    "CONFIG_SCHEMA",
    "MAX_CHANGES",
    "CandidateConfig",
    "CatalogConfig",
    "Change",
    "ChangeKind",
    "ChoiceConfig",
    "ChoiceModel",
    "FunnelConfig",
    "PopulationConfig",
    "PreferenceConfig",
    "ReturnConfig",
    "RewardConfig",
    "RunConfig",
    "SessionConfig",
    "WorldConfig",
]
