"""One agent, one training seed: make its data, train it, let it meet the held-out users, count.

A pure function of its arguments; what it returns is what `benchmarks.tasks` keeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from recsim_env.rollout import rollout

import recsim_env  # noqa: F401  registers the scenarios
from benchmarks.tasks import Report
from recsim_env.event_log.collect import collect_log
from recsim_env.metrics import Scorecard

if TYPE_CHECKING:
    from recsim_env.policy import Policy

HELD_OUT_SEED = 2**40
"""Stream seed of the users that score every agent; training seeds are small, so none ever meets them."""

BATCH_USERS = 1_024
"""Users served at a time for logging and scoring; what policies draw depends on it."""

SCORING_DRAWS = 1
"""Second part of the seed of a policy's own draws while it is scored; the same for all agents."""


@dataclass(frozen=True)
class Experiment:
    """How much every agent gets.

    Attributes:
        scenario: environment id.
        log_decisions: length of the log for agents that learn from one.
        online_decisions: decisions that an online agent takes while it learns.
        online_users: users that it serves at a time meanwhile.
        eval_users: held-out users per seed.
        learners: name -> fields of the agent's own config that differ from its defaults.
    """

    scenario: str
    log_decisions: int
    online_decisions: int
    online_users: int
    eval_users: int
    learners: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def score_agent(experiment: Experiment, agent: str, seed: int, report: Report) -> dict[str, Any]:
    """Train an agent with one seed, and score it on that seed's held-out users.

    The log, or the live users, come from stream seed `seed`, and so do initial values and minibatches. The
    held-out users are number seed * eval_users and following of stream seed `HELD_OUT_SEED`: all agents
    of one seed meet the same users with the same luck, and seeds share no user.

    Args:
        experiment: what every agent gets.
        agent: name in `agents.registry`.
        seed: training seed.
        report: called with the fraction done.

    Returns:
        {"metrics": name -> number, "curves": name -> list, "seconds": {"train", "score"}}.
    """
    began = time.perf_counter()
    env = make_env(experiment.scenario, BATCH_USERS, HELD_OUT_SEED)
    policy = make_policy(experiment, agent, seed, env, lambda fraction: report(0.9 * fraction))
    trained = time.perf_counter()
    users = np.arange(seed * experiment.eval_users, (seed + 1) * experiment.eval_users)
    card = Scorecard(env.unwrapped.world.public_catalog.base_popularity)  # type: ignore[attr-defined]
    for batch in rollout(env, policy, users, np.random.default_rng([seed, SCORING_DRAWS])):
        card.update(batch)
        report(0.9 + 0.1 * card.engagement.num_users / len(users))
    env.close()
    seconds = {"train": round(trained - began, 2), "score": round(time.perf_counter() - trained, 2)}
    curves = {name: curve.tolist() for name, curve in card.curves().items()}
    return {"metrics": card.result(), "curves": curves, "seconds": seconds}


def make_env(scenario: str, num_users: int, seed: int) -> VectorEnv[Any, Any, Any]:
    """A native batch of users that never resets by itself, on one stream seed."""
    options = {"autoreset_mode": AutoresetMode.DISABLED}
    env = gym.make_vec(scenario, num_envs=num_users, vector_kwargs=options)
    env.reset(seed=seed)
    return env


def make_policy(
    experiment: Experiment, agent: str, seed: int, env: VectorEnv[Any, Any, Any], report: Report
) -> Policy:
    """An agent ready to act: as it is when it learns nothing, else trained with this seed."""
    from agents import OFFLINE, ONLINE, LoggingPolicy, MyopicOracle, Popular, RandomPolicy, agent_class
    from agents.spec import ObservationSpec

    world = env.unwrapped.world  # type: ignore[attr-defined]
    catalog, slate_size = world.public_catalog, world.config.slate_size
    untrained: dict[str, Callable[[], Policy]] = {
        "random": lambda: RandomPolicy(len(catalog.topic), slate_size),
        "popular": lambda: Popular(catalog, slate_size),
        "logging": lambda: LoggingPolicy(catalog, slate_size),
        "myopic": lambda: MyopicOracle(world),
    }
    if agent in untrained:
        return untrained[agent]()
    kind = agent_class(agent)
    settings = _config(kind, experiment.learners.get(agent, {}))
    if agent in ONLINE:
        live = make_env(experiment.scenario, experiment.online_users, seed)
        learner = kind(settings).learn(
            live, experiment.online_decisions, seed=seed, progress=lambda step, total, _: report(step / total)
        )
        live.close()
        trained: Policy = learner
        return trained
    if agent not in OFFLINE:
        raise ValueError(f"agent: {agent!r} is neither a control nor an offline or online learner")
    log = collect_log(
        experiment.scenario,
        untrained["logging"](),
        experiment.log_decisions,
        seed,
        batch_size=BATCH_USERS,
        progress=lambda rows, total: report(0.1 * rows / total),
    )
    trained = kind(settings).fit(
        log,
        catalog,
        seed=seed,
        spec=ObservationSpec.from_space(env.single_observation_space),
        progress=lambda step, total, _: report(0.1 + 0.9 * step / total),
    )
    return trained


def _config(kind: Any, changes: Mapping[str, Any]) -> Any:
    """The agent's config with some fields changed, or None for its defaults."""
    from agents import DQN, DQNConfig

    if not changes:
        return None
    return DQNConfig(**changes) if kind is DQN else kind.config_class(**changes)
