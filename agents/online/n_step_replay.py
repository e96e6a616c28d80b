"""n-step returns for Stable-Baselines3's learners on Dict observations, which its own n-step buffer lacks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.buffers import DictReplayBuffer
from stable_baselines3.common.type_aliases import DictReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor

Rows = NDArray[np.integer[Any]]


class NStepDictReplayBuffer(DictReplayBuffer):
    """A replay buffer whose samples span up to n decisions of an episode, as `NStepReplayBuffer` does.

    A sample's `rewards` is the discounted sum of the rewards from its decision to the last one spanned,
    `next_observations` and `dones` are those of the last one, and `discounts` says what a value there is
    worth. The span ends early with the episode, and with what the buffer holds.

    Args:
        n_steps: n, at least 1.
        gamma: discount.
        generator: draws which decisions are sampled, uniformly with replacement.
        others: as of `DictReplayBuffer`.

    Source: Sutton and Barto (2018), eq. 7.1. Decisions after the first are those of the policy that acted,
    not corrected for the greedy one (Hessel et al. 2018, "Rainbow").
    """

    def __init__(
        self, *args: Any, n_steps: int, gamma: float, generator: np.random.Generator, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.n_steps, self.gamma, self.generator = n_steps, gamma, generator

    def sample(  # type: ignore[override]
        self, batch_size: int, env: VecNormalize | None = None
    ) -> DictReplayBufferSamples:
        place = self.generator.integers(self.size(), size=batch_size)
        return self.spans_from(place, self.generator.integers(self.n_envs, size=batch_size))

    def spans_from(self, place: Rows, user: Rows) -> DictReplayBufferSamples:
        """The samples that begin with the decisions at these places of the buffer, of these users."""
        newest = (self.pos - 1) % self.buffer_size
        last, earned = place, self.rewards[place, user]
        discount = np.full(len(place), self.gamma, np.float32)
        for _ in range(self.n_steps - 1):
            goes_on = (self.dones[last, user] == 0) & (last != newest)
            last = np.where(goes_on, (last + 1) % self.buffer_size, last)
            earned = earned + goes_on * discount * self.rewards[last, user]
            discount = np.where(goes_on, np.float32(self.gamma) * discount, discount)
        final = self.dones[last, user] * (1 - self.timeouts[last, user])
        return DictReplayBufferSamples(
            observations=self._tensors(self.observations, place, user),
            actions=self.to_torch(self.actions[place, user]),
            next_observations=self._tensors(self.next_observations, last, user),
            dones=self.to_torch(final[:, None]),
            rewards=self.to_torch(earned[:, None]),
            discounts=self.to_torch(discount[:, None]),
        )

    def _tensors(self, columns: dict[str, NDArray[Any]], place: Rows, user: Rows) -> dict[str, Tensor]:
        return {key: self.to_torch(column[place, user]) for key, column in columns.items()}
