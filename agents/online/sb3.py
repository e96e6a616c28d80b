"""Stable-Baselines3 on recsim_env: a VecEnv over the native batch, and a features extractor."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from gymnasium import Wrapper, spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from agents.encoders import SequenceEncoder
from agents.seeding import initialise
from agents.spec import ObservationSpec

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog

Observed = dict[str, np.ndarray] | np.ndarray
StepReturn = tuple[Observed, np.ndarray, np.ndarray, list[dict[str, Any]]]


class SB3VecEnv(VecEnv):
    """A Stable-Baselines3 VecEnv that steps a native vector environment, whole batch at a time.

    The environment must be made with `AutoresetMode.DISABLED`: the adapter itself resets finished rows, in
    the same call, as Stable-Baselines3 expects, and puts into their info

    - `terminal_observation`: the observation that the finished episode ended with,
    - `TimeLimit.truncated`: True when the horizon ran out and the user had not left,
    - `episode`: {"r": return, "l": length, "t": seconds since construction}, as its `Monitor` would,
    - the environment's own info values of that step.

    Rows that go on have an empty info. `seed(s)` gives the whole batch the stream seed s at the next `reset`;
    `set_options` passes one options dict to it. `returns` and `lengths`, [B], are those of the open sessions.

    Observations are the environment's: a dict of arrays, or one array [B, width] of `FlattenHistoryVector`.

    Raises:
        ValueError: `env` resets by itself.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        mode = env.metadata.get("autoreset_mode")
        if mode is not AutoresetMode.DISABLED:
            raise ValueError(f"env: expected autoreset_mode AutoresetMode.DISABLED, got {mode}")
        self.env = env
        self._seed: int | None = None
        self._reset_options_once: dict[str, Any] | None = None
        self.returns = np.zeros(env.num_envs)
        self.lengths = np.zeros(env.num_envs, dtype=np.int64)
        self._start = time.perf_counter()
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> Observed:
        observation, _ = self.env.reset(seed=self._seed, options=self._reset_options_once)
        self._seed, self._reset_options_once = None, None
        self.returns[:] = 0.0
        self.lengths[:] = 0
        return _shallow(observation)

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> StepReturn:
        observation, reward, terminated, truncated, info = self.env.step(self._actions)
        done = terminated | truncated
        self.returns += reward
        self.lengths += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        finished = np.flatnonzero(done)
        if len(finished):
            elapsed = round(time.perf_counter() - self._start, 6)
            columns = {key: value for key, value in info.items() if np.shape(value) == (self.num_envs,)}
            for row in finished:
                infos[row] = {key: column[row].item() for key, column in columns.items()}
                infos[row]["terminal_observation"] = _row(observation, int(row))
                infos[row]["TimeLimit.truncated"] = bool(truncated[row] and not terminated[row])
                infos[row]["episode"] = {
                    "r": float(self.returns[row]),
                    "l": int(self.lengths[row]),
                    "t": elapsed,
                }
            self.returns[finished] = 0.0
            self.lengths[finished] = 0
            observation, _ = self.env.reset(options={"reset_mask": done})
        return _shallow(observation), np.asarray(reward, dtype=np.float32), done, infos

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Set the stream seed of the next `reset`; None leaves the environment's own.

        Users are told apart by their ids, so one seed serves the whole batch.
        """
        self._seed = seed
        return [seed] * self.num_envs

    def set_options(self, options: list[dict[str, Any]] | dict[str, Any] | None = None) -> None:
        """Options of the next `reset`, one dict for the whole batch (for instance `{"user_ids": ids}`)."""
        if isinstance(options, list):
            raise ValueError("options: expected one dict for the whole batch, got a list")
        self._reset_options_once = options

    def close(self) -> None:
        self.env.close()

    def get_attr(self, attr_name: str, indices: int | Iterable[int] | None = None) -> list[Any]:
        """The batch's attribute, once per index."""
        value = self._find(attr_name)
        return [value for _ in self._get_indices(indices)]

    def _find(self, name: str) -> Any:
        """An attribute of the batch, or of what its wrappers hold."""
        return getattr(self.env if hasattr(self.env, name) else self.env.unwrapped, name)

    def set_attr(self, attr_name: str, value: Any, indices: int | Iterable[int] | None = None) -> None:
        """Set the batch's attribute; refused for a part of the batch, which has one object only."""
        if len(list(self._get_indices(indices))) != self.num_envs:
            raise ValueError(
                "indices: the rows of a native batch share their attributes; set it for all of them"
            )
        setattr(self.env.unwrapped, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: int | Iterable[int] | None = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Call the batch's method once; its answer, once per index.

        `action_masks` answers with the mask of each row, [n] bool, as `sb3_contrib.MaskablePPO` expects.
        """
        answer = self._find(method_name)(*method_args, **method_kwargs)
        per_row = method_name == "action_masks"
        return [answer[row] if per_row else answer for row in self._get_indices(indices)]

    def env_is_wrapped(
        self, wrapper_class: type[Wrapper[Any, Any, Any, Any]], indices: int | Iterable[int] | None = None
    ) -> list[bool]:
        """True for `Monitor`, whose episode statistics this adapter keeps itself; else False."""
        return [issubclass(Monitor, wrapper_class) for _ in self._get_indices(indices)]


def _shallow(observation: Observed) -> Observed:
    """A dict of one's own, of the same arrays."""
    return dict(observation) if isinstance(observation, dict) else observation


def _row(observation: Observed, row: int) -> Observed:
    """A copy of what one user shows."""
    if isinstance(observation, dict):
        return {key: value[row].copy() for key, value in observation.items()}
    return observation[row].copy()


class HistoryExtractor(BaseFeaturesExtractor):
    """Features for any Stable-Baselines3 policy: the `SequenceEncoder` that the offline agents use.

        DQN("MultiInputPolicy", env, policy_kwargs=dict(
            features_extractor_class=HistoryExtractor,
            features_extractor_kwargs=dict(public_catalog=env.unwrapped.world.public_catalog)))

    Stable-Baselines3 hands over Box entries as float and Discrete entries as one-hot vectors; both are
    turned back into the integers that the embeddings read. It reads neither `candidates` nor `hour` and
    `hours_away`; `recsim_env.wrappers.FlattenHistory` shows them to `MlpPolicy`.

    Args:
        observation_space: the single environment's Dict space.
        features_dim: size of embeddings, hidden state and features.
        public_catalog: gives topic, price and popularity to the item representations; without it they are
            id embeddings.
        num_topics: size of the topic embedding; by default the catalog's.
        encoder: the sequence model, a name of `agents.encoders.ENCODERS`.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        features_dim: int = 64,
        public_catalog: PublicCatalog | None = None,
        num_topics: int | None = None,
        encoder: str = "gru",
    ) -> None:
        super().__init__(observation_space, features_dim)
        spec = ObservationSpec.from_space(observation_space)
        if num_topics is None:
            num_topics = 1 if public_catalog is None else int(public_catalog.num_topics)
        self.encoder = SequenceEncoder(spec, num_topics, features_dim, encoder)
        initialise(self.encoder, None)
        if public_catalog is not None:
            self.encoder.items.set_catalog(public_catalog)

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Preprocessed observation -> [B, features_dim]."""
        integers = {key: value.long() for key, value in observations.items() if key != "segment"}
        one_hot = observations["segment"].reshape(len(observations["session_step"]), -1)
        integers["segment"] = torch.argmax(one_hot, dim=1)
        state: Tensor = self.encoder(integers)
        return state
