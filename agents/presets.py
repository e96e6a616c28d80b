"""Settings that come near the known optimum of small scenarios, by name; found on seeds of 1,000 and above.

The values of those scenarios are those of finite sessions, so the learners are episodic or look far ahead.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import gymnasium
from gymnasium.vector import AutoresetMode

from agents.controls import RandomPolicy
from agents.learning.heads import HeadConfig
from agents.learning.offline import TrainingConfig
from agents.learning.training import Progress
from agents.online.bootstrapped_dqn import BootstrappedDQN, BootstrappedDQNConfig
from agents.online.dqn import DQN, DQNConfig
from agents.supervised.next_item import NextItem
from agents.value.double_dqn import DoubleDQN, DoubleDQNConfig
from agents.value.slateq import SlateQ, SlateQConfig
from agents.value.sqn import SQN, SQNConfig
from recsim_env import World, get_scenario
from recsim_env.event_log import collect_log


@dataclass(frozen=True)
class Preset:
    """A learner, its settings, and how much of a scenario it sees.

    Attributes:
        agent: its class.
        scenario: name.
        config: settings.
        num_decisions: length of the log, or decisions online.
        num_users: users served at a time while it learns online; not used by learners from logs.
    """

    agent: type[Any]
    scenario: str
    config: Any
    num_decisions: int
    num_users: int = 64


SATISFACTION: dict[str, Any] = {
    "dim": 16,
    "batch_size": 512,
    "epochs": 7.5,
    "learning_rate": 0.003,
    "gamma": 1.0,
    "episodic": True,
    "bootstrap": "logged",
    "n_steps": 20,
}
"""Of learners from logs on LongTermSatisfaction. There one step of improvement over uniform recommendations
earns 99.99% of the optimum, by exact values; the maximum over 50 noisy values, 60 times over, spoils what it
is taken of. What a click does comes late: carried back one decision at a time, it takes many more updates."""

KNOWN_OPTIMUM: dict[str, Preset] = {
    "dqn-tiny": Preset(
        DQN,
        "Tiny-v0",
        DQNConfig(dim=32, hidden=(64,), gamma=1.0, target_update_interval=2_000, episodic=True),
        150_000,
    ),
    "bootstrapped-tiny": Preset(
        BootstrappedDQN,
        "Tiny-v0",
        BootstrappedDQNConfig(
            num_heads=5,
            dim=16,
            learning_rate=0.003,
            gamma=1.0,
            learning_starts=2_000,
            target_interval=30,
            episodic=True,
        ),
        80_000,
        128,
    ),
    "slateq-tiny": Preset(
        SlateQ,
        "Tiny-v0",
        SlateQConfig(
            dim=16,
            gamma=1.0,
            episodic=True,
            epochs=8,
            batch_size=512,
            learning_rate=0.01,
            target_interval=20,
        ),
        60_000,
    ),
    "double-dqn-tiny": Preset(
        DoubleDQN,
        "Tiny-v0",
        DoubleDQNConfig(
            dim=16,
            batch_size=1_024,
            epochs=4.0,
            learning_rate=0.02,
            gamma=1.0,
            episodic=True,
            target_interval=10,
            bootstrap="logged",
        ),
        60_000,
    ),
    "sqn-tiny": Preset(
        SQN,
        "Tiny-v0",
        SQNConfig(
            dim=32,
            batch_size=1_024,
            epochs=4.0,
            learning_rate=0.01,
            gamma=1.0,
            episodic=True,
            bootstrap="logged",
            dueling=True,
            td_weight=10.0,
            acting_head="q",
        ),
        240_000,
    ),
    "dqn-satisfaction": Preset(
        DQN,
        "LongTermSatisfaction-v0",
        DQNConfig(
            dim=16,
            learning_rate=0.002,
            batch_size=512,
            gamma=1.0,
            buffer_size=1_000_000,
            target_update_interval=5_000,
            exploration_final_eps=0.5,
            learning_rate_schedule="linear",
            dueling=True,
            episodic=True,
            n_steps=20,
        ),
        1_000_000,
        128,
    ),
    "slateq-satisfaction": Preset(
        SlateQ, "LongTermSatisfaction-v0", SlateQConfig(**SATISFACTION, target_interval=40), 600_000
    ),
    "sqn-satisfaction": Preset(
        SQN,
        "LongTermSatisfaction-v0",
        SQNConfig(**SATISFACTION, dueling=True, td_weight=50.0, acting_head="q"),
        600_000,
    ),
}
"""Name -> preset. The logs of learners from logs are those of uniformly random recommendations."""


def learn_preset(name: str, seed: int, progress: Progress | None = None, **changes: Any) -> Any:
    """An agent that learned by a preset.

    Args:
        name: of `KNOWN_OPTIMUM`.
        seed: of the users it learns from and of the training.
        progress: as the learner's own.
        changes: fields of its config that differ, such as gamma=0 for the myopic twin.

    Raises:
        ValueError: no preset has this name.
    """
    preset = _preset(name)
    agent = preset.agent(dataclasses.replace(preset.config, **changes))
    if hasattr(agent, "fit"):
        return _fitted(agent, preset, seed, progress)
    scenario = get_scenario(preset.scenario)
    env = gymnasium.make_vec(scenario.id, num_envs=preset.num_users, autoreset_mode=AutoresetMode.DISABLED)
    env.reset(seed=seed)
    agent.learn(env, preset.num_decisions, seed=seed, progress=progress)
    env.close()
    return agent


def supervised_twin(name: str, seed: int, progress: Progress | None = None) -> NextItem:
    """Next-item prediction from the log of a preset, with its network and as many updates.

    Args:
        name: of `KNOWN_OPTIMUM`, whose learner learns from a log.
        seed, progress: as in `learn_preset`.

    Raises:
        ValueError: no preset has this name, or it learns from live users.
    """
    preset = _preset(name)
    if not hasattr(preset.agent, "fit"):
        raise ValueError(f"name: expected a preset that learns from a log, got {name!r}")
    shared = {field.name: getattr(preset.config, field.name) for field in dataclasses.fields(TrainingConfig)}
    fitted: NextItem = _fitted(NextItem(HeadConfig(**shared)), preset, seed, progress)
    return fitted


def _preset(name: str) -> Preset:
    if name not in KNOWN_OPTIMUM:
        raise ValueError(f"name: expected one of {', '.join(KNOWN_OPTIMUM)}, got {name!r}")
    return KNOWN_OPTIMUM[name]


def _fitted(agent: Any, preset: Preset, seed: int, progress: Progress | None) -> Any:
    """The agent after it has learned from uniformly random recommendations."""
    scenario = get_scenario(preset.scenario)
    catalog = World(scenario.config).public_catalog
    logging = RandomPolicy(len(catalog.topic), scenario.config.slate_size, catalog)
    log = collect_log(scenario.id, logging, preset.num_decisions, seed)
    return agent.fit(log, catalog, seed=seed, progress=progress)
