"""Agents for recsim_env: policies that act on batches, controls, and learners, online and from logs.

Every agent has `act(observation, generator) -> Decision(action, propensity)`, `save(folder)` and
`load(folder)`; offline learners have `fit(log, public_catalog, seed=...)`, online ones `learn(env,
num_decisions, seed=...)`.
"""

from agents.acting import Acting, ActingConfig
from agents.bootstrapped_dqn import BootstrappedDQN, BootstrappedDQNConfig
from agents.controls import MyopicOracle, Popular, RandomPolicy
from agents.dqn import DQN, DQNConfig
from agents.epsilon_greedy import EpsilonGreedy, EpsilonGreedyConfig
from agents.linear_bandits import LinearThompson, LinUCB
from agents.linear_learner import LinearBanditConfig
from agents.logging_policy import LoggingConfig, LoggingPolicy
from agents.planning import PlanningConfig, PlanningOracle
from agents.policy_spec import ALIASES, POLICIES, NamedPolicy, make_logging_policy
from agents.registry import AGENTS, COMPARED, OFFLINE, ONLINE, OPTIMAL, agent_class, load_saved
from agents.reinforce import Reinforce, ReinforceConfig
from agents.sb3 import HistoryExtractor, SB3VecEnv
from agents.slateq import SlateQ, SlateQConfig
from agents.sqn import SQN, SQNConfig

PROJECT = "recsim_env"
"""Whose package this is: other distributions also install a top-level `agents`."""

__all__ = [
    "AGENTS",
    "ALIASES",
    "COMPARED",
    "DQN",
    "OFFLINE",
    "ONLINE",
    "OPTIMAL",
    "POLICIES",
    "PROJECT",
    "SQN",
    "Acting",
    "ActingConfig",
    "BootstrappedDQN",
    "BootstrappedDQNConfig",
    "DQNConfig",
    "EpsilonGreedy",
    "EpsilonGreedyConfig",
    "HistoryExtractor",
    "LinUCB",
    "LinearBanditConfig",
    "LinearThompson",
    "LoggingConfig",
    "LoggingPolicy",
    "MyopicOracle",
    "NamedPolicy",
    "PlanningConfig",
    "PlanningOracle",
    "Popular",
    "RandomPolicy",
    "Reinforce",
    "ReinforceConfig",
    "SB3VecEnv",
    "SQNConfig",
    "SlateQ",
    "SlateQConfig",
    "agent_class",
    "load_saved",
    "make_logging_policy",
]
