"""Agents for recsim_env: policies that act on batches, controls, and learners, online and from logs.

Every agent has `act(observation, generator) -> Decision(action, propensity)`, `save(folder)` and
`load(folder)`; offline learners have `fit(log, public_catalog, seed=...)`, online ones `learn(env,
num_decisions, seed=...)`.
"""

from agents.acting import Acting, ActingConfig
from agents.agent_spec import AgentSpec
from agents.bandits.linear_bandits import LinearThompson, LinUCB
from agents.bandits.linear_learner import LinearBanditConfig
from agents.controls import MyopicOracle, Popular, RandomPolicy
from agents.gradient.reinforce import Reinforce
from agents.gradient.reinforce_config import PRESETS, ReinforceConfig, preset
from agents.learning.heads import HeadConfig
from agents.learning.training import Training
from agents.loggers.epsilon_greedy import EpsilonGreedy, EpsilonGreedyConfig
from agents.loggers.logging_policy import LoggingConfig, LoggingPolicy
from agents.online.bootstrapped_dqn import BootstrappedDQN, BootstrappedDQNConfig
from agents.online.dqn import DQN, DQNConfig
from agents.online.live_training import LiveTraining
from agents.online.sb3 import HistoryExtractor, SB3VecEnv
from agents.oracles.planning import PlanningConfig, PlanningOracle
from agents.policy_spec import ALIASES, POLICIES, NamedPolicy, make_logging_policy
from agents.registry import AGENTS, COMPARED, OFFLINE, ONLINE, OPTIMAL, agent_class, load_saved
from agents.spec_text import split_specs
from agents.supervised.hist import HIST, HISTConfig
from agents.supervised.neighbours import SKNN, ItemKNN, ItemKNNConfig, SKNNConfig
from agents.supervised.next_item import NextItem, RewardWeighted
from agents.supervised.reward_rates import RewardRates, RewardRatesConfig
from agents.value.cql import CQL, CQLConfig
from agents.value.double_dqn import DoubleDQN, DoubleDQNConfig
from agents.value.sa2c import SA2C, SA2CConfig
from agents.value.sac_rec import SACRec, SACRecConfig
from agents.value.slateq import SlateQ, SlateQConfig
from agents.value.snqn import SNQN, SNQNConfig
from agents.value.sqn import SQN, SQNConfig

PROJECT = "recsim_env"
"""Whose package this is: other distributions also install a top-level `agents`."""

__all__ = [
    "AGENTS",
    "ALIASES",
    "COMPARED",
    "CQL",
    "DQN",
    "HIST",
    "OFFLINE",
    "ONLINE",
    "OPTIMAL",
    "POLICIES",
    "PRESETS",
    "PROJECT",
    "SA2C",
    "SKNN",
    "SNQN",
    "SQN",
    "Acting",
    "ActingConfig",
    "AgentSpec",
    "BootstrappedDQN",
    "BootstrappedDQNConfig",
    "CQLConfig",
    "DQNConfig",
    "DoubleDQN",
    "DoubleDQNConfig",
    "EpsilonGreedy",
    "EpsilonGreedyConfig",
    "HISTConfig",
    "HeadConfig",
    "HistoryExtractor",
    "ItemKNN",
    "ItemKNNConfig",
    "LinUCB",
    "LinearBanditConfig",
    "LinearThompson",
    "LiveTraining",
    "LoggingConfig",
    "LoggingPolicy",
    "MyopicOracle",
    "NamedPolicy",
    "NextItem",
    "PlanningConfig",
    "PlanningOracle",
    "Popular",
    "RandomPolicy",
    "Reinforce",
    "ReinforceConfig",
    "RewardRates",
    "RewardRatesConfig",
    "RewardWeighted",
    "SA2CConfig",
    "SACRec",
    "SACRecConfig",
    "SB3VecEnv",
    "SKNNConfig",
    "SNQNConfig",
    "SQNConfig",
    "SlateQ",
    "SlateQConfig",
    "Training",
    "agent_class",
    "load_saved",
    "make_logging_policy",
    "preset",
    "split_specs",
]
