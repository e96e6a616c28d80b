"""What a bootstrapped DQN learns with: replay, target network, optimizer, and which head serves whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from agents.learning.checkpoints import below, load_optimizer, optimizer_tensors
from agents.losses import td_loss
from agents.online.ensemble import EnsembleNetwork, double_q_targets
from agents.online.live import Step
from agents.online.replay import Replay
from agents.seeding import deep_copy

if TYPE_CHECKING:
    from agents.online.bootstrapped_dqn import BootstrappedDQNConfig

NEXT = "next_"
SESSIONS = 100
"""Whose mean return is reported."""


class EnsembleLearner:
    """The learning side of one `BootstrappedDQN.learn`, which a checkpoint can hold.

    Args:
        network: on the device where it learns.
        config: of the agent.
        num_envs: B, users served side by side.
        generator: of initial values, whose next draws are the minibatches.
        seed: of heads and bootstrap masks.

    Attributes:
        head: [B] int64, by which head each user is served.
        num_updates: made so far.
        metrics: of the last update.
    """

    def __init__(
        self,
        network: EnsembleNetwork,
        config: BootstrappedDQNConfig,
        num_envs: int,
        generator: torch.Generator,
        seed: int,
    ) -> None:
        self.network, self.config, self.generator = network, config, generator
        self.draws = np.random.default_rng(seed)
        self.target = deep_copy(network)
        self.optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)
        self.replay, self.num_updates = Replay(config.buffer_size), 0
        self.head = self.draws.integers(config.num_heads, size=num_envs)
        self.returns: list[float] = []
        self.metrics: dict[str, float] = {}

    def learn(self, step: Step) -> None:
        """Keep a batch of transitions, make the updates that are due, and draw heads for new sessions."""
        self._remember(step)
        due = (step.decisions - self.config.learning_starts) // self.config.decisions_per_update
        while self.num_updates < due:
            if self.num_updates % self.config.target_interval == 0:
                self.target.load_state_dict(self.network.state_dict())
            self.metrics = self._update()
            self.num_updates += 1
        done = step.terminated | step.truncated
        self.head = np.where(done, self.draws.integers(self.config.num_heads, size=len(done)), self.head)
        self.returns = [*self.returns, *step.returns.tolist()][-SESSIONS:]

    def report(self) -> dict[str, float]:
        """`return` of the latest sessions, `loss` and mean `value` of the last update, as far as known."""
        known = {"return": float(np.mean(self.returns))} if self.returns else {}
        return {**known, **self.metrics}

    def take(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that learning changes, as tensors on the CPU and what JSON can hold."""
        tensors = {
            **{f"network.{name}": tensor for name, tensor in self.network.state_dict().items()},
            **{f"target.{name}": tensor for name, tensor in self.target.state_dict().items()},
            **optimizer_tensors(self.optimizer, "optimizer"),
            **{f"replay.{name}": column for name, column in self.replay.take().items()},
            "generator": self.generator.get_state(),
            "head": torch.from_numpy(self.head),
        }
        return {name: tensor.cpu() for name, tensor in tensors.items()}, {
            "draws": self.draws.bit_generator.state,
            "updates": self.num_updates,
            "replay_next": self.replay.next,
            "returns": self.returns,
            "metrics": self.metrics,
        }

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """The opposite of `take`."""
        self.network.load_state_dict(below("network", tensors))
        self.target.load_state_dict(below("target", tensors))
        load_optimizer(self.optimizer, below("optimizer", tensors))
        self.replay.restore(below("replay", tensors), numbers["replay_next"])
        self.generator.set_state(tensors["generator"])
        self.draws.bit_generator.state = numbers["draws"]
        self.head = tensors["head"].numpy().copy()
        self.num_updates, self.returns = numbers["updates"], numbers["returns"]
        self.metrics = numbers["metrics"]

    def _remember(self, step: Step) -> None:
        """Keep a batch of transitions; every head draws which of them it learns from."""
        config = self.config
        ends = step.terminated | step.truncated if config.episodic else step.terminated
        seen = {key: np.asarray(column, np.int32) for key, column in step.observation.items()}
        following = {
            NEXT + key: np.asarray(column, np.int32) for key, column in step.next_observation.items()
        }
        self.replay.add(
            {
                **seen,
                **following,
                "action": step.action,
                "reward": step.reward.astype(np.float32),
                "discount": config.gamma * (~ends).astype(np.float32),
                "mask": self.draws.random((len(step.action), config.num_heads)) < config.mask_prob,
            }
        )

    def _update(self) -> dict[str, float]:
        """One step; its loss, and the mean value of what was shown."""
        device = self.network.value.weight.device
        drawn = self.replay.sample(self.config.batch_size, self.generator)
        rows = {key: column.to(device) for key, column in drawn.items()}
        following = {key.removeprefix(NEXT): column for key, column in rows.items() if key.startswith(NEXT)}
        q_t = self.network(rows)
        action = rows["action"].view(-1, 1, 1).expand(-1, q_t.shape[1], 1)
        chosen = q_t.gather(2, action).squeeze(2)
        target_t = double_q_targets(self.network, self.target, rows, following)
        loss = (td_loss(chosen, target_t) * rows["mask"]).sum() / rows["mask"].sum().clamp(min=1)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.item(), "value": chosen.mean().item()}
