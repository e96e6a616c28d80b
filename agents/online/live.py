"""Serving live users: the loop that online learners of our own share.

Stable-Baselines3 has its own (`agents.online.sb3`); here the learner keeps whole batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from agents.learning.training import REPORT_EVERY, Progress
from agents.sampling import IntArray
from agents.spec import Observation, ObservationSpec

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog


class Step(NamedTuple):
    """One decision of every user of a batch.

    Attributes:
        observation, next_observation: the environment's keys; the next one is what the decision led to, also
            where the session ended with it.
        action: [B] or [B, K] int64.
        reward: [B] float64.
        terminated, truncated: [B] bool.
        decisions: made so far, this step's included.
        returns: returns of the sessions that ended with it, [sessions] float64.
    """

    observation: Observation
    next_observation: Observation
    action: IntArray
    reward: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    decisions: int
    returns: NDArray[np.float64]


def catalog_of(env: VectorEnv[Any, Any, Any]) -> PublicCatalog:
    """The public side of a native environment's catalog."""
    catalog: PublicCatalog = env.unwrapped.world.public_catalog  # type: ignore[attr-defined]
    return catalog


def serve(
    env: VectorEnv[Any, Any, Any], choose: Callable[[Observation], IntArray], num_decisions: int
) -> Iterator[Step]:
    """Serve users until so many decisions are made, whole batches at a time.

    Args:
        env: native vector environment in AutoresetMode.DISABLED; keeps its own stream seed and users.
        choose: observation of B users -> action.
        num_decisions: environment steps times batch size, rounded up to whole batches.

    Raises:
        ValueError: the environment resets by itself, or nothing is to be decided.
    """
    mode = env.metadata.get("autoreset_mode")
    if mode is not AutoresetMode.DISABLED:
        raise ValueError(f"env: expected autoreset_mode AutoresetMode.DISABLED, got {mode}")
    if num_decisions < 1:
        raise ValueError(f"num_decisions: expected at least 1, got {num_decisions}")
    observation, _ = env.reset()
    earned, decisions = np.zeros(env.num_envs), 0
    while decisions < num_decisions:
        action = choose(observation)
        following, reward, terminated, truncated, _ = env.step(action)
        decisions += env.num_envs
        earned += reward
        done = terminated | truncated
        yield Step(
            observation, following, action, reward, terminated, truncated, decisions, earned[done].copy()
        )
        earned[done] = 0.0
        observation = following
        if done.any():
            observation, _ = env.reset(options={"reset_mask": done})


def report(progress: Progress | None, step: Step, num_decisions: int, metrics: Mapping[str, float]) -> None:
    """Tell `progress`, if there is one, after every so many batches and after the last."""
    batches, last = step.decisions // len(step.reward), step.decisions >= num_decisions
    if progress is not None and (batches % REPORT_EVERY == 0 or last):
        progress(min(step.decisions, num_decisions), num_decisions, metrics)


def spec_of(env: VectorEnv[Any, Any, Any]) -> ObservationSpec:
    """Sizes of the environment's scenario."""
    return ObservationSpec.from_space(env.single_observation_space)


def single_item_spec(env: VectorEnv[Any, Any, Any], agent: str) -> ObservationSpec:
    """Sizes of a scenario in which every item is an action, for agents with one Q-value per item.

    Raises:
        ValueError: the environment recommends slates, or is a two-stage world; the message names the agent.
    """
    if not isinstance(env.single_action_space, spaces.Discrete):
        raise ValueError(
            f"env: {agent} needs a Discrete action space (one item per step), got {env.single_action_space}"
        )
    spec = spec_of(env)
    if spec.num_candidates:
        raise ValueError(
            f"env: a two-stage world of {spec.num_candidates} candidates; {agent} has one Q-value per item "
            "and learns only where every item can be chosen (candidates.num_candidates=0)"
        )
    return spec
