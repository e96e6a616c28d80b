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
        others: as of `DictReplayBuffer`.

    Source: Sutton and Barto (2018), eq. 7.1. Decisions after the first are those of the policy that acted,
    not corrected for the greedy one (Hessel et al. 2018, "Rainbow").
    """

    def __init__(self, *args: Any, n_steps: int, gamma: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.n_steps, self.gamma = n_steps, gamma

    def _get_samples(  # type: ignore[override]
        self, batch_inds: Rows, env: VecNormalize | None = None
    ) -> DictReplayBufferSamples:
        user = np.random.randint(self.n_envs, size=len(batch_inds))  # noqa: NPY002 - the base class's own
        newest = (self.pos - 1) % self.buffer_size
        last, earned = batch_inds, self.rewards[batch_inds, user]
        discount = np.full(len(batch_inds), self.gamma, np.float32)
        for _ in range(self.n_steps - 1):
            goes_on = (self.dones[last, user] == 0) & (last != newest)
            last = np.where(goes_on, (last + 1) % self.buffer_size, last)
            earned = earned + goes_on * discount * self.rewards[last, user]
            discount = np.where(goes_on, np.float32(self.gamma) * discount, discount)
        final = self.dones[last, user] * (1 - self.timeouts[last, user])
        return DictReplayBufferSamples(
            observations=self._tensors(self.observations, batch_inds, user),
            actions=self.to_torch(self.actions[batch_inds, user]),
            next_observations=self._tensors(self.next_observations, last, user),
            dones=self.to_torch(final[:, None]),
            rewards=self.to_torch(earned[:, None]),
            discounts=self.to_torch(discount[:, None]),
        )

    def _tensors(self, columns: dict[str, NDArray[Any]], place: Rows, user: Rows) -> dict[str, Tensor]:
        return {key: self.to_torch(column[place, user]) for key, column in columns.items()}
