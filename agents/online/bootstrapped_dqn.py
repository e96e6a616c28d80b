"""Bootstrapped DQN: an ensemble of Q heads on one encoder; every user is served by one head for a session.

Source: Osband, Blundell, Pritzel and Van Roy (2016), "Deep exploration via bootstrapped DQN", NeurIPS.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from agents.choices import Choices, best_action, choices_in
from agents.encoders import check_encoder, to_tensors
from agents.learner import check_settings
from agents.learning.training import Progress
from agents.losses import td_loss
from agents.online.ensemble import EnsembleNetwork, double_q_targets
from agents.online.live import Step, report, serve
from agents.online.online_agent import OnlineAgent
from agents.online.replay import Replay
from agents.sampling import FloatArray, IntArray
from agents.seeding import build, single_thread, torch_generator
from agents.spec import Observation
from recsim_env import Decision

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog

NEXT = "next_"


@dataclass(frozen=True)
class BootstrappedDQNConfig:
    """Settings of the learner.

    Attributes:
        num_heads: H; with 1 it is double DQN that does not explore.
        mask_prob: probability that a transition belongs to a head's bootstrap sample.
        dim, encoder, learning_rate, batch_size, gamma, buffer_size, learning_starts, decisions_per_update: as
            `DQNConfig`.
        target_interval: updates between copies into the target network.
        episodic: as `DQNConfig`.
        acting: what `act` does. "mean" shows what is best by the mean of the heads, "head" draws a head per
            decision, "vote" is what most heads show.
    """

    num_heads: int = 8
    mask_prob: float = 0.5
    dim: int = 64
    encoder: str = "gru"
    learning_rate: float = 1e-3
    batch_size: int = 256
    gamma: float = 0.9
    buffer_size: int = 200_000
    learning_starts: int = 5_000
    decisions_per_update: int = 64
    target_interval: int = 100
    episodic: bool = False
    acting: Literal["mean", "head", "vote"] = "mean"

    def __post_init__(self) -> None:
        check_settings(
            self,
            above_zero=(
                "num_heads",
                "dim",
                "learning_rate",
                "batch_size",
                "buffer_size",
                "decisions_per_update",
                "target_interval",
            ),
            shares=("gamma",),
        )
        check_encoder(self.encoder)
        if not 0.0 < self.mask_prob <= 1.0:
            raise ValueError(f"mask_prob: expected in (0, 1], got {self.mask_prob}")
        if self.acting not in ("mean", "head", "vote"):
            raise ValueError(f"acting: expected 'mean', 'head' or 'vote', got {self.acting!r}")


class BootstrappedDQN(OnlineAgent):
    """Online ensemble of double DQNs that explores by disagreement; single-item scenarios only.

    At the start of a session a head is drawn for the user, and that head alone recommends until the session
    ends: exploration that is consistent over time. Heads differ by their initial values and by which
    transitions they learn from. Encoder gradients are the mean of the heads' (the paper's normalisation by
    1/H). In dated worlds only what is on offer is shown, and counts in the targets.
    """

    name = "bootstrapped"
    config_class = BootstrappedDQNConfig
    single_item = True

    config: BootstrappedDQNConfig
    network: EnsembleNetwork

    def _make_network(self) -> EnsembleNetwork:
        config = self.config
        return EnsembleNetwork(self.spec, self.num_topics, config.dim, config.encoder, config.num_heads)

    def learn_from(
        self,
        env: VectorEnv[Any, Any, Any],
        catalog: PublicCatalog,
        num_decisions: int,
        seed: int,
        progress: Progress | None,
    ) -> None:
        generator, draws = torch_generator(seed), np.random.default_rng(seed)
        with single_thread():
            self.network = build(self._make_network, generator)
            self.network.encoder.items.set_catalog(catalog)
            training = _Training(self, generator)
            head = draws.integers(self.config.num_heads, size=env.num_envs)
            earned: list[float] = []
            steps = serve(env, lambda seen: self._act_by(seen, head), num_decisions)
            for step in steps:
                training.remember(step, draws)
                metrics = training.catch_up(step.decisions)
                done = step.terminated | step.truncated
                head = np.where(done, draws.integers(self.config.num_heads, size=env.num_envs), head)
                earned = [*earned, *step.returns][-100:]
                known = {"return": float(np.mean(earned))} if earned else {}
                report(progress, step, num_decisions, {**known, **metrics})
            self.network.eval()

    @torch.inference_mode()
    def _values(self, observation: Observation) -> tuple[FloatArray, Choices | None]:
        """[B, H, n] float64 Q-values of every choice, and the choices."""
        choices = choices_in(observation, self.spec.num_items, self.network.encoder.items.dates, 1)
        candidates = None if choices is None else choices.candidates
        values: FloatArray = self.network(to_tensors(observation), candidates).double().numpy()
        return values, choices

    def _act_by(self, observation: Observation, head: IntArray) -> IntArray:
        """[B] int64: what the heads [B] show."""
        values, choices = self._values(observation)
        return best_action(values[np.arange(len(head)), head], choices, 1)

    def act(self, observation: Observation, generator: np.random.Generator) -> Decision:
        """Choose for a batch of users; see `BootstrappedDQNConfig.acting`.

        Returns:
            Decision(action [B] int64, propensity [B] float64): the share of heads that show the item when a
            head is drawn, which is exact; otherwise 1.

        Raises:
            RuntimeError: the agent has neither learned nor been loaded.
            ValueError: the observation belongs to another scenario.
        """
        self.check_observation(observation)
        values, choices = self._values(observation)
        batch, num_heads, _ = values.shape
        if self.config.acting == "mean":
            return Decision(best_action(values.mean(axis=1), choices, 1), np.ones(batch))
        shown = np.stack([best_action(values[:, head], choices, 1) for head in range(num_heads)], axis=1)
        votes = (shown[:, :, None] == shown[:, None, :]).sum(axis=2)
        rows = np.arange(batch)
        if self.config.acting == "vote":
            return Decision(shown[rows, votes.argmax(axis=1)], np.ones(batch))
        head = generator.integers(num_heads, size=batch)
        return Decision(shown[rows, head], votes[rows, head] / num_heads)

    def score(self, observation: Observation) -> tuple[FloatArray, Choices | None]:
        """([B, n] float64, mean Q of every choice, -inf where it is not on offer; the choices)."""
        self.check_observation(observation)
        values, choices = self._values(observation)
        mean: FloatArray = values.mean(axis=1)
        return (mean if choices is None else choices.score(mean)), choices

    def learned_arrays(self) -> Mapping[str, Tensor]:
        """The network; the replay memory and the optimizer are not kept."""
        return self.network.state_dict()

    def restore(self, arrays: Mapping[str, Tensor]) -> None:
        """The network with these weights."""
        self.network = build(self._make_network, torch_generator(0))
        self.network.load_state_dict(arrays)
        self.network.eval()


class _Training:
    """Replay, target network and optimizer of one `learn`."""

    def __init__(self, agent: BootstrappedDQN, generator: torch.Generator) -> None:
        self.config, self.network, self.generator = agent.config, agent.network, generator
        self.target = copy.deepcopy(agent.network)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=self.config.learning_rate, fused=True)
        self.replay, self.num_updates = Replay(self.config.buffer_size), 0
        self.metrics: dict[str, float] = {}

    def remember(self, step: Step, draws: np.random.Generator) -> None:
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
                "mask": draws.random((len(step.action), config.num_heads)) < config.mask_prob,
            }
        )

    def catch_up(self, decisions: int) -> dict[str, float]:
        """The updates that are due after so many decisions."""
        due = (decisions - self.config.learning_starts) // self.config.decisions_per_update
        while self.num_updates < due:
            if self.num_updates % self.config.target_interval == 0:
                self.target.load_state_dict(self.network.state_dict())
            self.metrics = self._update()
            self.num_updates += 1
        return self.metrics

    def _update(self) -> dict[str, float]:
        """One step; its loss, and the mean value of what was shown."""
        rows = self.replay.sample(self.config.batch_size, self.generator)
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
