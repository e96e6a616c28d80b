"""The tasks of *offline*: learn from a log, serve, and estimate from another log what serving showed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.experiments.serve import acting_by, changed_world, user_returns
from benchmarks.ope import SERVED_FROM, estimate
from benchmarks.tasks import Report
from recsim_env import Decision, World, get_scenario, rollout
from recsim_env.event_log import EventLog, collect_log, sorted_columns
from recsim_env.truth import slate_truth

if TYPE_CHECKING:
    from recsim_env import Policy

ESTIMATORS = {
    "snips": "decision",
    "dm": "decision",
    "dr": "decision",
    "fqe": "session",
    "tabular_marginal_is": "session",
}
"""Name -> what it estimates: the reward of one decision in the log's situations, or a session's return.

Weights of whole histories are left out: in sessions of 20 decisions they are all 0 (docs/ope.md)."""
Arm = tuple[str, str, int]
"""Learner, logging policy, decisions in the log."""
EVALUATION_DRAWS = 3
"""Second part of the seed of the logging policy's draws in the log from which is estimated."""


def serve_policy(scenario: str, policy: str, seed: int, num_users: int, report: Report) -> dict[str, Any]:
    """What a policy that learns nothing (by `agents.make_logging_policy`) earns from held-out users."""
    from agents import make_logging_policy

    world = changed_world(scenario, {})
    chosen = make_logging_policy(policy, world).policy
    return {"return": mean_return(world, scenario, chosen, seed, num_users, report)}


def mean_return(
    world: World, scenario: str, policy: Policy, seed: int, num_users: int, report: Report
) -> float:
    """Reward per held-out user of a seed; all policies of one seed meet the same users with the same luck."""
    users = world.users(num_users, seed * num_users)
    steps = get_scenario(scenario).max_episode_steps
    return float(np.mean(user_returns(world, policy, users, seed, steps, report)))


def learn_and_estimate(
    scenario: str,
    learner: str,
    heads: Mapping[str, str | None],
    logging: str,
    log_decisions: int,
    seed: int,
    updates: int,
    batch_size: int,
    dim: int,
    num_users: int,
    evaluation_users: int,
    report: Report,
) -> dict[str, Any]:
    """Train on a log, serve the held-out users, and evaluate off-policy on a new log of the same policy.

    Every learner makes the same number of updates, however long the log. The second log is of users who are
    in no other.

    Returns:
        For each name of `heads`, the learner acting by that head (None: as it does): {"return", "decision":
        the truths; "effective_share": of the second log's decisions; "estimates": name -> value, None where
        there is none}. "decision" is the exact expected reward of the learner's choices in the situations of
        the second log.
    """
    from agents import AgentSpec, make_logging_policy

    world = changed_world(scenario, {})
    logger, catalog = make_logging_policy(logging, world).policy, world.public_catalog
    log = collect_log(get_scenario(scenario).id, logger, log_decisions, seed)
    settings = {"epochs": updates * batch_size / len(log), "batch_size": batch_size, "dim": dim}
    agent: Any = (
        AgentSpec.parse(learner, settings)
        .make()
        .fit(log, catalog, seed=seed, progress=lambda step, total, _: report(0.7 * step / total))
    )
    arms = {name: agent if head is None else acting_by(agent, head) for name, head in heads.items()}
    results = {}
    for name, arm in arms.items():
        earned = mean_return(world, scenario, arm, seed, num_users, lambda _: None)
        second, decision = evaluation_log(world, scenario, logger, arm, seed, evaluation_users)
        results[name] = {"return": earned, "decision": decision, **estimated(world, second, arm)}
        report(0.7 + 0.3 * len(results) / len(arms))
    return results


def estimated(world: World, log: EventLog, arm: Policy) -> dict[str, Any]:
    """{"effective_share", "estimates"} of a policy from a log."""
    found, _, _ = estimate(log, world, arm, None, 1.0, list(ESTIMATORS), lambda *_: None)
    values = {one.estimator: one for _, one in found}
    return {
        "effective_share": (values["snips"].effective_sample_size or 0.0) / len(log),
        "estimates": {
            name: values[name].value if name in values and math.isfinite(values[name].value) else None
            for name in ESTIMATORS
        },
    }


class Watched:
    """A logging policy, and beside it what a target policy would have earned where it serves.

    Attributes:
        expected: [n] parts of the target's expected rewards, so far.
    """

    needs_state = True

    def __init__(self, world: World, logging: Policy, target: Policy) -> None:
        self.world, self.logging, self.target = world, logging, target
        self.name = logging.name
        self.expected: list[np.ndarray] = []

    def act(self, observation: Any, generator: np.random.Generator, state: Any) -> Decision:
        """As the logging policy; the target acts without chance and draws nothing."""
        would = self.target.act(observation, np.random.default_rng(0)).action
        slates = np.asarray(would, np.int64).reshape(len(state), -1)
        self.expected.append(slate_truth(self.world, state, slates).expected_reward)
        return self.logging.act(observation, generator)


def evaluation_log(
    world: World, scenario: str, logging: Policy, target: Policy, seed: int, num_users: int
) -> tuple[EventLog, float]:
    """A log of new users, and the target's exact expected reward of a decision in its situations."""
    watched: Any = Watched(world, logging, target)
    batches = rollout(
        world,
        watched,
        SERVED_FROM + np.arange(num_users),
        seed=seed,
        generator=np.random.default_rng([seed, EVALUATION_DRAWS]),
        max_steps=get_scenario(scenario).max_episode_steps,
    )
    log = EventLog.from_columns(sorted_columns(batches), logging.name)
    return log, float(np.concatenate(watched.expected).mean())
