"""Serving live users: the loop that online learners of our own share, and that can be put aside.

Stable-Baselines3 has its own (`agents.online.sb3`); here the learner keeps whole batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from torch import Tensor

from agents.learning.checkpoints import below
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
        before, decisions: made before this step, and with it.
        returns: returns of the sessions that ended with it, [sessions] float64.
    """

    observation: Observation
    next_observation: Observation
    action: IntArray
    reward: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    before: int
    decisions: int
    returns: NDArray[np.float64]


def catalog_of(env: VectorEnv[Any, Any, Any]) -> PublicCatalog:
    """The public side of a native environment's catalog."""
    catalog: PublicCatalog = env.unwrapped.world.public_catalog  # type: ignore[attr-defined]
    return catalog


class Service:
    """Users who are served a batch at a time, until so many decisions are made.

    Args:
        env: native vector environment in AutoresetMode.DISABLED; keeps its own stream seed and users.
        num_decisions: environment steps times batch size, rounded up to whole batches.

    Attributes:
        decisions: made so far.
        earned: [B] float64, by each user in the session that is open.

    Raises:
        ValueError: the environment resets by itself.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], num_decisions: int) -> None:
        mode = env.metadata.get("autoreset_mode")
        if mode is not AutoresetMode.DISABLED:
            raise ValueError(f"env: expected autoreset_mode AutoresetMode.DISABLED, got {mode}")
        self.env, self.num_decisions = env, num_decisions
        self.decisions, self.earned = 0, np.zeros(env.num_envs)
        self._observation: Observation | None = None

    def steps(self, choose: Callable[[Observation], IntArray]) -> Iterator[Step]:
        """Begin, or go on from `restore`; `choose`: observation of B users -> action."""
        env = self.env
        if self._observation is None:
            self._observation, _ = env.reset()
        while self.decisions < self.num_decisions:
            seen = self._observation
            action = choose(seen)
            following, reward, terminated, truncated, _ = env.step(action)
            self.decisions += env.num_envs
            self.earned += reward
            done = terminated | truncated
            returns = self.earned[done]
            self.earned[done] = 0.0
            self._observation = following
            if done.any():
                self._observation, _ = env.reset(options={"reset_mask": done})
            before = self.decisions - env.num_envs
            yield Step(
                seen, following, action, reward, terminated, truncated, before, self.decisions, returns
            )

    def take(self) -> dict[str, Tensor]:
        """What `restore` needs to go on behind the last step."""
        return {**snapshot_of(self.env), "earned": torch.from_numpy(self.earned.copy())}

    def restore(self, tensors: Mapping[str, Tensor], decisions: int) -> None:
        """Go on where `take` was called, after so many decisions."""
        self._observation = restore_env(self.env, tensors)
        self.decisions, self.earned = decisions, tensors["earned"].numpy().copy()


ENV = "env"


def snapshot_of(env: VectorEnv[Any, Any, Any]) -> dict[str, Tensor]:
    """A native environment's snapshot, as tensors."""
    taken = env.unwrapped.snapshot()  # type: ignore[attr-defined]
    return {f"{ENV}.{name}": torch.from_numpy(array) for name, array in taken.items()}


def restore_env(env: VectorEnv[Any, Any, Any], tensors: Mapping[str, Tensor]) -> Observation:
    """Put a native environment where `snapshot_of` found one like it; its observation."""
    native: Any = env.unwrapped
    arrays = {name: tensor.numpy() for name, tensor in below(ENV, tensors).items()}
    observation: Observation = native.restore(arrays)
    return observation


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
