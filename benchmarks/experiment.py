"""One agent, one training seed: make its data, train it, let it meet the held-out users, count.

A pure function of its arguments; what it returns is what `benchmarks.tasks` keeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from benchmarks.tasks import Report
from recsim_env import World, get_scenario, rollout
from recsim_env.event_log import collect_log
from recsim_env.metrics import FullScorecard

if TYPE_CHECKING:
    from recsim_env import Policy
    from recsim_env.rollout import Impressions

HELD_OUT_SEED = 2**40
"""Stream seed of the users that score every agent; training seeds are small, so none ever meets them."""

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
    """

    scenario: str
    log_decisions: int
    online_decisions: int
    online_users: int
    eval_users: int


def score_agent(experiment: Experiment, agent: str, seed: int, report: Report) -> dict[str, Any]:
    """Train an agent with one seed, and score it on that seed's held-out users.

    The log, or the live users, come from stream seed `seed`, and so do initial values and minibatches. The
    held-out users are number seed * eval_users and following (`World.users`) of stream seed
    `HELD_OUT_SEED`: all agents
    of one seed meet the same users with the same luck, and seeds share no user.

    Args:
        experiment: what every agent gets.
        agent: its specification, a name in `agents.registry` with or without settings.
        seed: training seed.
        report: called with the fraction done.

    Returns:
        {"metrics": name -> number, "curves": name -> list, "seconds": {"train", "score"}}.
    """
    began = time.perf_counter()
    scenario = get_scenario(experiment.scenario)
    world = World(scenario.config)
    policy = make_policy(experiment, agent, seed, world, lambda fraction: report(0.9 * fraction))
    trained = time.perf_counter()
    users = world.users(experiment.eval_users, seed * experiment.eval_users)
    card = serve_held_out(
        world, policy, users, seed, scenario.max_episode_steps, lambda fraction: report(0.9 + 0.1 * fraction)
    )
    seconds = {"train": round(trained - began, 2), "score": round(time.perf_counter() - trained, 2)}
    curves = {name: curve.tolist() for name, curve in card.curves().items()}
    return {"metrics": card.result(), "curves": curves, "seconds": seconds}


def serve_held_out(
    world: World,
    policy: Policy,
    users: np.ndarray,
    seed: int,
    max_steps: int,
    report: Report,
    with_regret: bool = False,
) -> FullScorecard:
    """Let a policy serve users of stream seed `HELD_OUT_SEED`, and count.

    Args:
        world: the simulator.
        policy: ready to act.
        users: [n] int64, ids.
        seed: of the policy's own draws.
        max_steps: horizon.
        report: called with the fraction done.
        with_regret: whether to ask the myopic oracle at every decision; slow where slates are long.
    """
    card = FullScorecard(
        world.public_catalog, world.config.population.num_segments, world.position_weight, with_regret
    )
    for batch in held_out_rollout(world, policy, users, seed, max_steps, with_regret):
        card.update(batch)
        report(card.engagement.num_users / len(users))
    return card


def held_out_rollout(
    world: World, policy: Policy, users: np.ndarray, seed: int, max_steps: int, with_oracle: bool = False
) -> Iterator[Impressions]:
    """What users of stream seed `HELD_OUT_SEED` are shown and do; arguments as `serve_held_out`."""
    generator = np.random.default_rng([seed, SCORING_DRAWS])
    return rollout(
        world,
        policy,
        users,
        seed=HELD_OUT_SEED,
        generator=generator,
        max_steps=max_steps,
        with_oracle=with_oracle,
    )


def untrained_policies(world: World) -> dict[str, Callable[[], Any]]:
    """Name -> maker of the policies that act in a world without having learned."""
    from agents import LoggingPolicy, MyopicOracle, Popular, RandomPolicy

    catalog, slate_size = world.public_catalog, world.config.slate_size
    return {
        "random": lambda: RandomPolicy(len(catalog.topic), slate_size, catalog),
        "popular": lambda: Popular(catalog, slate_size),
        "logging": lambda: LoggingPolicy(catalog, slate_size),
        "myopic": lambda: MyopicOracle(world),
    }


def make_policy(experiment: Experiment, agent: str, seed: int, world: World, report: Report) -> Policy:
    """An agent ready to act: as it is when it learns nothing, else trained with this seed."""
    from agents import OFFLINE, ONLINE, AgentSpec, make_logging_policy

    spec = AgentSpec.parse(agent)
    catalog, untrained = world.public_catalog, untrained_policies(world)
    policy: Policy
    if agent in untrained:
        policy = untrained[agent]()
    elif spec.name in untrained:
        policy = make_logging_policy(spec.text, world).policy
    elif spec.name in OFFLINE:
        log = collect_log(
            experiment.scenario,
            untrained["logging"](),
            experiment.log_decisions,
            seed,
            progress=lambda rows, total: report(0.1 * rows / total),
        )
        policy = spec.make().fit(
            log, catalog, seed=seed, progress=lambda step, total, _: report(0.1 + 0.9 * step / total)
        )
    elif spec.name in ONLINE:
        env = gym.make_vec(
            experiment.scenario, num_envs=experiment.online_users, autoreset_mode=AutoresetMode.DISABLED
        )
        env.reset(seed=seed)
        policy = spec.make().learn(
            env, experiment.online_decisions, seed=seed, progress=lambda step, total, _: report(step / total)
        )
        env.close()
    else:
        raise ValueError(
            f"agent: {type(spec.make()).__name__} neither stands alone nor learns from logs or users"
        )
    return policy
