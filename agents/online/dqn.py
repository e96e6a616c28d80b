"""Deep Q-network of Stable-Baselines3 on recsim_env: learns online, acts on batches, saved without pickle.

Source: Mnih et al. (2015), "Human-level control through deep reinforcement learning"; Raffin et al. (2021)
for the implementation.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from stable_baselines3 import DQN as SB3DQN
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.dqn.policies import MultiInputPolicy
from torch import Tensor

from agents.choices import Choices, choices_in, decide_by_score
from agents.encoders import ItemTable, check_encoder
from agents.learner import check_settings
from agents.learning.batches import check_n_steps
from agents.online import sb3_state
from agents.online.dueling import DuelingPolicy
from agents.online.live_training import LiveRun
from agents.online.n_step_replay import NStepDictReplayBuffer
from agents.online.online_agent import OnlineAgent
from agents.online.sb3 import HistoryExtractor, SB3VecEnv
from agents.sampling import FloatArray
from agents.seeding import scoped_global_rng, single_thread
from agents.spec import Observation
from recsim_env import Decision

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog


REPLAY = 1
"""Tells the draws of the replay from those of exploration, which have the seed itself."""


@dataclass(frozen=True)
class DQNConfig:
    """Settings of the learner; names and meanings as in `stable_baselines3.DQN`.

    Attributes:
        dim: size of the features extractor's embeddings and state.
        encoder: its sequence model, a name of `agents.encoders.ENCODERS`.
        hidden: sizes of hidden layers between features and Q-values.
        learning_rate, batch_size, gamma, buffer_size, learning_starts: see Stable-Baselines3.
        decisions_per_update: decisions of the users for every gradient update.
        target_update_interval: decisions between copies into the target network.
        exploration_fraction, exploration_final_eps: epsilon falls from 1 over this share of training to
            this value.
        learning_rate_schedule: "constant", or "linear", falling to 0 at the end of training.
        dueling: whether the Q-network adds a level of the state to the values of items (`DuelingHead`). Helps
            where values are large and items differ little.
        episodic: whether nothing counts after the horizon, though the user had not left. For tasks whose
            horizon is part of the task (time-aware agents, Pardo et al. 2018, "Time limits in reinforcement
            learning"): the observation tells the step. Otherwise truncated sessions bootstrap.
        n_steps: decisions whose rewards are summed before values take over (n-step returns, with what the
            exploring policy did).
    """

    dim: int = 64
    encoder: str = "gru"
    hidden: tuple[int, ...] = ()
    learning_rate: float = 1e-3
    batch_size: int = 256
    gamma: float = 0.5
    buffer_size: int = 200_000
    learning_starts: int = 5_000
    decisions_per_update: int = 64
    target_update_interval: int = 10_000
    exploration_fraction: float = 0.5
    exploration_final_eps: float = 0.05
    learning_rate_schedule: Literal["constant", "linear"] = "constant"
    dueling: bool = False
    episodic: bool = False
    n_steps: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", tuple(self.hidden))
        check_settings(
            self,
            above_zero=(
                "dim",
                "learning_rate",
                "batch_size",
                "buffer_size",
                "decisions_per_update",
                "target_update_interval",
            ),
            shares=("gamma", "exploration_fraction", "exploration_final_eps"),
        )
        check_encoder(self.encoder)
        check_n_steps(self.n_steps)
        if self.learning_rate_schedule not in ("constant", "linear"):
            raise ValueError(
                "learning_rate_schedule: expected 'constant' or 'linear', got "
                f"{self.learning_rate_schedule!r}"
            )


class DQN(OnlineAgent):
    """Online DQN with a greedy policy; single-item scenarios only.

    `learn` steps a native batch of users with epsilon-greedy exploration and trains on what it sees. In dated
    worlds it explores, and takes the maximum of its targets, over all items, on offer or not; only `act`
    knows what is on offer.
    """

    name = "dqn"
    config_class = DQNConfig
    learned = "policy"
    single_item = True

    config: DQNConfig
    policy: MultiInputPolicy

    def learn_from(
        self,
        env: VectorEnv[Any, Any, Any],
        catalog: PublicCatalog,
        num_decisions: int,
        seed: int,
        run: LiveRun,
    ) -> None:
        config = self.config
        with scoped_global_rng(seed), single_thread():
            adapter = SB3VecEnv(env)
            adapter.action_space.seed(seed)
            model = SB3DQN(
                self._policy_class(),
                adapter,
                learning_rate=self._learning_rate,
                buffer_size=max(config.buffer_size, env.num_envs),
                learning_starts=config.learning_starts,
                batch_size=config.batch_size,
                gamma=config.gamma,
                train_freq=max(1, config.decisions_per_update // env.num_envs),
                gradient_steps=max(1, env.num_envs // config.decisions_per_update),
                target_update_interval=max(config.target_update_interval, env.num_envs),
                exploration_fraction=config.exploration_fraction,
                exploration_final_eps=config.exploration_final_eps,
                replay_buffer_class=NStepDictReplayBuffer,
                replay_buffer_kwargs={
                    "n_steps": config.n_steps,
                    "gamma": config.gamma,
                    "generator": np.random.default_rng([seed, REPLAY]),
                    "handle_timeout_termination": not config.episodic,
                },
                policy_kwargs=self._policy_kwargs(catalog),
                device=run.training.device,
            )
            assert isinstance(model.policy, MultiInputPolicy)
            self.policy = model.policy
            resumed = run.resume(partial(sb3_state.restore, model, adapter, num_decisions))
            left = 0 if run.stopped else num_decisions - model.num_timesteps
            if left > 0:
                between = _BetweenRollouts(run, adapter)
                with suppress(_Over):
                    model.learn(
                        left,
                        callback=between,
                        log_interval=None,  # type: ignore[arg-type]
                        reset_num_timesteps=not resumed,
                    )
                    between.after()
        self.policy.to("cpu").set_training_mode(False)

    def _learning_rate(self, progress_remaining: float) -> float:
        """Of Adam, when this share of the training lies ahead."""
        linear = self.config.learning_rate_schedule == "linear"
        return self.config.learning_rate * (max(progress_remaining, 0.0) if linear else 1.0)

    def _policy_class(self) -> type[MultiInputPolicy]:
        return DuelingPolicy if self.config.dueling else MultiInputPolicy

    def _policy_kwargs(self, catalog: PublicCatalog | None) -> dict[str, Any]:
        return {
            "net_arch": list(self.config.hidden),
            "features_extractor_class": HistoryExtractor,
            "features_extractor_kwargs": {
                "features_dim": self.config.dim,
                "public_catalog": catalog,
                "num_topics": self.num_topics,
                "encoder": self.config.encoder,
            },
        }

    @torch.inference_mode()
    def score(self, observation: Observation) -> tuple[FloatArray, Choices | None]:
        """Q-values of what each user can be shown.

        Returns:
            ([B, n] float64, -inf for what is not on offer; the choices, None where every item is one).

        Raises:
            RuntimeError: the agent has neither learned nor been loaded.
            ValueError: the observation belongs to another scenario.
        """
        self.check_observation(observation)
        table: ItemTable = self.policy.q_net.features_extractor.encoder.items  # type: ignore[assignment, union-attr]
        choices = choices_in(observation, self.spec.num_items, table.dates, 1)
        absent = np.zeros((len(observation["session_step"]), 1), np.int64)  # hours, which no feature reads
        known = {key: np.asarray(observation.get(key, absent)) for key in self.spec.observation_space()}
        tensors, _ = self.policy.obs_to_tensor(known)
        value = self.policy.q_net(tensors).double().cpu().numpy()
        if choices is None:
            return value, None
        if choices.numbered:
            value = np.take_along_axis(value, choices.items, axis=1)
        return choices.score(value), choices

    def act(self, observation: Observation, generator: np.random.Generator) -> Decision:
        """The item, or candidate, on offer with the highest Q-value for each user; deterministic.

        Raises: as `score`.
        """
        self.check_observation(observation)
        return decide_by_score(self.score, observation, self.spec.num_items, 1)

    def learned_arrays(self) -> Mapping[str, Tensor]:
        """The Q-network; the replay buffer and the optimizer are not kept."""
        arrays: dict[str, Tensor] = self.policy.q_net.state_dict()
        return arrays

    def restore(self, arrays: Mapping[str, Tensor]) -> None:
        """A policy with this Q-network."""
        with scoped_global_rng(0):
            self.policy = self._policy_class()(
                self.spec.observation_space(),
                spaces.Discrete(self.spec.num_items),
                lambda _: self.config.learning_rate,
                **self._policy_kwargs(None),
            )
        self.policy.q_net.load_state_dict(arrays)
        self.policy.set_training_mode(False)


class _Over(Exception):  # noqa: N818 - no error
    """Ends a `learn` of Stable-Baselines3 before it serves another batch."""


class _BetweenRollouts(BaseCallback):
    """Does what is due in a training each time that Stable-Baselines3 has served a batch and learned from it.

    A rollout may hold several batches; then it does so after the last.
    """

    def __init__(self, run: LiveRun, adapter: SB3VecEnv) -> None:
        super().__init__()
        self.run, self.adapter, self.seen = run, adapter, 0

    def _on_training_start(self) -> None:
        self.seen = self.model.num_timesteps

    def _on_rollout_start(self) -> None:
        if self.model.num_timesteps > self.seen:
            self.after()

    def _on_step(self) -> bool:
        return True

    def after(self) -> None:
        """What is due after what was served so far; raises _Over where that was all."""
        model: Any = self.model
        before, self.seen = self.seen, model.num_timesteps
        take = partial(sb3_state.take, model, self.adapter)
        if not self.run.after(before, self.seen, self._metrics, take, model._n_updates > 0):
            raise _Over

    def _metrics(self) -> Mapping[str, float]:
        metrics = {"exploration": float(self.model.exploration_rate)}  # type: ignore[attr-defined]
        episodes = self.model.ep_info_buffer
        if episodes:
            metrics["return"] = float(np.mean([episode["r"] for episode in episodes]))
        loss = self.model.logger.name_to_value.get("train/loss")
        if loss is not None:
            metrics["loss"] = float(loss)
            metrics["value"] = self._value()
        return metrics

    @torch.no_grad()
    def _value(self) -> float:
        """Mean Q-value of what was shown last."""
        buffer = sb3_state.replay_of(self.model)  # type: ignore[arg-type]
        place = (buffer.pos - 1) % buffer.buffer_size
        seen = {key: buffer.to_torch(column[place]) for key, column in buffer.observations.items()}
        policy: Any = self.model.policy
        q_t = policy.q_net(seen)
        return float(q_t.gather(1, buffer.to_torch(buffer.actions[place]).long()).mean())
