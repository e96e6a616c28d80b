"""Names of the agents on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents.acting import Acting
from agents.bandits.linear_bandits import LinearThompson, LinUCB
from agents.controls import MyopicOracle, Popular, RandomPolicy
from agents.gradient.reinforce import Reinforce
from agents.loggers.epsilon_greedy import EpsilonGreedy
from agents.loggers.logging_policy import LoggingPolicy
from agents.online.bootstrapped_dqn import BootstrappedDQN
from agents.online.dqn import DQN
from agents.oracles.optimal import OptimalPolicy
from agents.oracles.planning import PlanningOracle
from agents.storage import agent_folder, saved_kind
from agents.supervised.hist import HIST
from agents.supervised.neighbours import SKNN, ItemKNN
from agents.supervised.next_item import NextItem, RewardWeighted
from agents.supervised.reward_rates import RewardRates
from agents.value.cql import CQL
from agents.value.double_dqn import DoubleDQN
from agents.value.sa2c import SA2C
from agents.value.sac_rec import SACRec
from agents.value.slateq import SlateQ
from agents.value.snqn import SNQN
from agents.value.sqn import SQN
from recsim_env import World, get_scenario

AGENTS: dict[str, type[Any]] = {
    "random": RandomPolicy,
    "popular": Popular,
    "myopic": MyopicOracle,
    "logging": LoggingPolicy,
    "dqn": DQN,
    "sqn": SQN,
    "ips": Reinforce,
    "item-knn": ItemKNN,
    "sknn": SKNN,
    "reward-rates": RewardRates,
    "next-item": NextItem,
    "reward-weighted": RewardWeighted,
    "hist": HIST,
    "double-dqn": DoubleDQN,
    "cql": CQL,
    "snqn": SNQN,
    "sac-rec": SACRec,
    "sa2c": SA2C,
    "slateq": SlateQ,
    "bootstrapped": BootstrappedDQN,
    "linucb": LinUCB,
    "lints": LinearThompson,
}
"""Name -> class. Those with `fit` learn from a log, those with `learn` from live users, others not at all."""

ALSO_SAVED: tuple[type[Any], ...] = (EpsilonGreedy, Acting, PlanningOracle, OptimalPolicy)
"""Further policies that can be saved: they make logs (see `policy_spec`), or know the hidden state."""

COMPARED = ("random", "popular", "myopic", "logging", "dqn", "sqn", "ips")
"""The agents that a comparison runs unless it is told otherwise."""

OFFLINE = tuple(name for name, kind in AGENTS.items() if hasattr(kind, "fit"))
ONLINE = tuple(name for name, kind in AGENTS.items() if hasattr(kind, "learn"))


def _solved(scenario: str, solver: str) -> Callable[[World], Any]:
    return lambda world: OptimalPolicy(world, get_scenario(scenario).max_episode_steps, solver)


OPTIMAL: dict[str, Callable[[World], Any]] = {
    name: _solved(name, solver)
    for name, solver in {"Tiny-v0": "enumeration", "LongTermSatisfaction-v0": "satisfaction"}.items()
}
"""Scenario name -> maker of its optimal policy, for the scenarios whose optimum is known."""


def agent_class(name: str) -> type[Any]:
    """The class of a registered agent.

    Raises:
        ValueError: no agent has this name; the message lists those that do.
    """
    if name not in AGENTS:
        raise ValueError(f"agent: unknown name {name!r}; expected one of {', '.join(AGENTS)}")
    return AGENTS[name]


def load_saved(folder: str | Path) -> Any:
    """The agent that a folder holds, of whatever registered class it is; also a training's folder.

    Raises:
        FileNotFoundError: it holds none.
        ValueError: it holds one of an unknown class or format.
    """
    kinds = {kind.__name__: kind for kind in (*AGENTS.values(), *ALSO_SAVED)}
    folder = agent_folder(folder)
    kind = saved_kind(folder)
    if kind not in kinds:
        raise ValueError(f"folder: {folder} holds a {kind!r} agent, expected one of {', '.join(kinds)}")
    return kinds[kind].load(folder)
