"""Names of the agents on the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agents.controls import MyopicOracle, Popular, RandomPolicy
from agents.dqn import DQN
from agents.logging_policy import LoggingPolicy
from agents.reinforce import Reinforce
from agents.sqn import SQN
from recsim_env import Policy, World

AGENTS: dict[str, type[Any]] = {
    "random": RandomPolicy,
    "popular": Popular,
    "myopic": MyopicOracle,
    "logging": LoggingPolicy,
    "dqn": DQN,
    "sqn": SQN,
    "ips": Reinforce,
}
"""Name -> class. The first four learn nothing; `dqn` learns online, `sqn` and `ips` from a log."""

OFFLINE = ("sqn", "ips")
ONLINE = ("dqn",)

OPTIMAL: dict[str, Callable[[World], Policy]] = {}
"""Scenario name -> maker of its optimal policy, for the scenarios whose optimum is known."""


def agent_class(name: str) -> type[Any]:
    """The class of a registered agent.

    Raises:
        ValueError: no agent has this name; the message lists those that do.
    """
    if name not in AGENTS:
        raise ValueError(f"agent: unknown name {name!r}; expected one of {', '.join(AGENTS)}")
    return AGENTS[name]
