"""The tasks that experiments share: a policy serves held-out users, and is counted."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.experiment import held_out_rollout, serve_held_out
from benchmarks.tasks import Report
from recsim_env import World, get_scenario

if TYPE_CHECKING:
    from recsim_env import Policy


def changed_world(scenario: str, changes: Mapping[str, Any]) -> World:
    """The world of a scenario with some sections of its config changed."""
    return World(get_scenario(scenario).config.replace(**changes))


def score_policy(
    scenario: str,
    policy: str,
    seed: int,
    num_users: int,
    report: Report,
    changes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Every metric of a policy (by `agents.make_logging_policy`) on the held-out users of a seed.

    All policies of one seed meet the same users with the same luck, and seeds share no user.

    Returns:
        {"metrics": name -> number, "curves": name -> list}.
    """
    from agents import make_logging_policy

    world = changed_world(scenario, changes or {})
    return score(world, scenario, make_logging_policy(policy, world).policy, seed, num_users, report)


def score(
    world: World, scenario: str, policy: Policy, seed: int, num_users: int, report: Report
) -> dict[str, Any]:
    """Every metric of a policy in a world, as `score_policy`."""
    users, max_steps = world.users(num_users, seed * num_users), get_scenario(scenario).max_episode_steps
    card = serve_held_out(world, policy, users, seed, max_steps, report, with_regret=True)
    curves = {name: listed(curve) for name, curve in card.curves().items()}
    return {"metrics": card.result(), "curves": curves}


Q_HEAD = ", Q head"
CE_AND_Q = {"": "ce", Q_HEAD: "q"}
"""Ending of an arm's name -> the head by which a trained agent acts."""


def acting_by(agent: Any, head: str) -> Any:
    """The same trained agent, which recommends by the named head."""
    arm = copy.copy(agent)
    arm.config = replace(agent.config, acting_head=head)
    return arm


def listed(curve: np.ndarray) -> list[float | None]:
    """A curve as JSON; None where it has no value."""
    return [None if np.isnan(value) else float(value) for value in curve]


def user_returns(
    world: World, policy: Policy, users: np.ndarray, draws: int, max_steps: int, report: Report
) -> list[float]:
    """The reward of each user, in the order of `users`; the policy's own randomness comes of seed `draws`."""
    returns, finished = np.zeros(len(users)), 0
    order = np.argsort(users)
    for batch in held_out_rollout(world, policy, users, draws, max_steps):
        returns[order[np.searchsorted(users, batch.user_id, sorter=order)]] += batch.reward
        finished += int((batch.terminated | batch.truncated).sum())
        report(finished / len(users))
    values: list[float] = returns.tolist()
    return values
