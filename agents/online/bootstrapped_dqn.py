"""Bootstrapped DQN: an ensemble of Q heads on one encoder; every user is served by one head for a session.

Source: Osband, Blundell, Pritzel and Van Roy (2016), "Deep exploration via bootstrapped DQN", NeurIPS.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor, nn

from agents.choices import Choices, best_action, choices_in
from agents.encoders import ItemScorer, ItemTable, SequenceEncoder, to_tensors
from agents.learning.training import REPORT_EVERY, Progress
from agents.losses import double_q_target, td_loss
from agents.online.live import Step, catalog_of, serve, single_item_spec
from agents.online.replay import Replay
from agents.sampling import FloatArray, IntArray
from agents.seeding import build, single_thread, torch_generator
from agents.spec import Observation, ObservationSpec, catalog_fingerprint, check_catalog
from agents.storage import load_agent, save_agent
from recsim_env import Decision
from recsim_env.catalog import PublicCatalog

NEXT = "next_"


@dataclass(frozen=True)
class BootstrappedDQNConfig:
    """Settings of the learner.

    Attributes:
        num_heads: H; with 1 it is double DQN that does not explore.
        mask_prob: probability that a transition belongs to a head's bootstrap sample.
        dim, learning_rate, batch_size, gamma, buffer_size, learning_starts, decisions_per_update: as
            `DQNConfig`.
        target_interval: updates between copies into the target network.
        episodic: as `DQNConfig`.
        acting: what `act` does. "mean" shows what is best by the mean of the heads, "head" draws a head per
            decision, "vote" is what most heads show.
    """

    num_heads: int = 8
    mask_prob: float = 0.5
    dim: int = 64
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
        for name in (
            "num_heads",
            "dim",
            "learning_rate",
            "batch_size",
            "buffer_size",
            "decisions_per_update",
            "target_interval",
        ):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name}: expected a finite number above 0, got {value}")
        if not 0.0 < self.mask_prob <= 1.0:
            raise ValueError(f"mask_prob: expected in (0, 1], got {self.mask_prob}")
        if not 0.0 <= self.gamma <= 1.0:
            raise ValueError(f"gamma: expected in [0, 1], got {self.gamma}")
        if self.acting not in ("mean", "head", "vote"):
            raise ValueError(f"acting: expected 'mean', 'head' or 'vote', got {self.acting!r}")


class EnsembleNetwork(nn.Module):
    """One encoder, H heads: Q_h(s, a) = v_h(s) + scorer_h(s, a)."""

    def __init__(self, spec: ObservationSpec, num_topics: int, dim: int, num_heads: int) -> None:
        super().__init__()
        self.encoder = SequenceEncoder(spec, num_topics, dim)
        self.value = nn.Linear(dim, num_heads)
        self.heads = nn.ModuleList([ItemScorer(spec.num_items, dim) for _ in range(num_heads)])

    def forward(self, observation: Mapping[str, Tensor], items: Tensor | None = None) -> Tensor:
        """Q-values, [B, H, N], or [B, H, M] of [B, M] integer items."""
        table = self.encoder.items()
        state = self.encoder(observation, table)
        scores = [
            head(state, table) if items is None else head.of_items(state, table, items)  # type: ignore[operator]
            for head in self.heads
        ]
        return torch.stack(scores, dim=1) + self.value(state).unsqueeze(2)


class BootstrappedDQN:
    """Online ensemble of double DQNs that explores by disagreement; single-item scenarios only.

    At the start of a session a head is drawn for the user, and that head alone recommends until the session
    ends: exploration that is consistent over time. Heads differ by their initial values and by which
    transitions they learn from. Encoder gradients are the mean of the heads' (the paper's normalisation by
    1/H). In dated worlds only what is on offer is shown, and counts in the targets.
    """

    name: ClassVar[str] = "bootstrapped"
    needs_state: ClassVar[bool] = False
    config_class: ClassVar[type[BootstrappedDQNConfig]] = BootstrappedDQNConfig

    spec: ObservationSpec
    fingerprint: str
    network: EnsembleNetwork

    def __init__(self, config: BootstrappedDQNConfig | None = None) -> None:
        self.config = config or BootstrappedDQNConfig()
        self.num_topics = 0

    def _make_network(self) -> EnsembleNetwork:
        return EnsembleNetwork(self.spec, self.num_topics, self.config.dim, self.config.num_heads)

    def learn(
        self,
        env: VectorEnv[Any, Any, Any],
        num_decisions: int,
        *,
        seed: int,
        progress: Progress | None = None,
    ) -> Self:
        """Train from scratch on a live environment.

        Args:
            env: native vector environment in AutoresetMode.DISABLED; keeps its own stream seed and users.
            num_decisions: environment steps times batch size, rounded up to whole batches.
            seed: of initial values, heads, bootstrap samples and replay; the environment is not reseeded.
            progress: called as progress(step, total, metrics).

        Returns:
            The agent itself.

        Raises:
            ValueError: the environment recommends slates, resets by itself, or is a two-stage world.
        """
        config, catalog = self.config, catalog_of(env)
        self.spec = single_item_spec(env, "bootstrapped DQN")
        self.num_topics, self.fingerprint = int(catalog.num_topics), catalog_fingerprint(catalog)
        generator, draws = torch_generator(seed), np.random.default_rng(seed)
        with single_thread():
            self.network = build(self._make_network, generator)
            self.network.encoder.items.set_catalog(catalog)
            training = _Training(self, generator)
            head = draws.integers(config.num_heads, size=env.num_envs)
            earned: list[float] = []
            steps = serve(env, lambda seen: self._act_by(seen, head), num_decisions)
            for number, step in enumerate(steps):
                training.remember(step, draws)
                metrics = training.catch_up(step.decisions)
                done = step.terminated | step.truncated
                head = np.where(done, draws.integers(config.num_heads, size=env.num_envs), head)
                earned = [*earned, *step.returns][-100:]
                last = step.decisions >= num_decisions
                if progress is not None and (number % REPORT_EVERY == REPORT_EVERY - 1 or last):
                    known = {"return": float(np.mean(earned))} if earned else {}
                    progress(min(step.decisions, num_decisions), num_decisions, {**known, **metrics})
            self.network.eval()
        return self

    @torch.inference_mode()
    def _values(self, observation: Observation) -> tuple[FloatArray, Choices | None]:
        """[B, H, n] float64 Q-values of every choice, and the choices."""
        choices = choices_in(observation, self.spec.num_items, self._table().dates, 1)
        candidates = None if choices is None else choices.candidates
        values: FloatArray = self.network(to_tensors(observation), candidates).double().numpy()
        return values, choices

    def _table(self) -> ItemTable:
        return self.network.encoder.items

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
        self._check(observation)
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
        self._check(observation)
        values, choices = self._values(observation)
        mean: FloatArray = values.mean(axis=1)
        return (mean if choices is None else choices.score(mean)), choices

    def _check(self, observation: Observation) -> None:
        if not hasattr(self, "network"):
            raise RuntimeError("BootstrappedDQN.act: let the agent learn or load it first")
        self.spec.check(observation)

    def check_catalog(self, public_catalog: PublicCatalog) -> None:
        """Raise ValueError when `public_catalog` is not the one that the agent learned with."""
        check_catalog(public_catalog, self.fingerprint)

    def save(self, folder: str | Path) -> None:
        """Write the agent to a folder, atomically; the replay memory and the optimizer are not kept."""
        if not hasattr(self, "network"):
            raise RuntimeError("BootstrappedDQN.save: let the agent learn or load it first")
        card = {
            "config": asdict(self.config),
            "spec": asdict(self.spec),
            "num_topics": self.num_topics,
            "catalog": self.fingerprint,
        }
        save_agent(folder, "BootstrappedDQN", card, self.network.state_dict())

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read an agent that `save` wrote; it acts bit for bit as the saved one."""
        card, arrays = load_agent(folder, "BootstrappedDQN")
        agent = cls(BootstrappedDQNConfig(**card["config"]))
        agent.spec, agent.fingerprint = ObservationSpec(**card["spec"]), card["catalog"]
        agent.num_topics = card["num_topics"]
        agent.network = build(agent._make_network, torch_generator(0))
        agent.network.load_state_dict(arrays)
        agent.network.eval()
        return agent


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
            self.metrics = {"loss": self._update()}
            self.num_updates += 1
        return self.metrics

    def _update(self) -> float:
        rows = self.replay.sample(self.config.batch_size, self.generator)
        following = {key.removeprefix(NEXT): column for key, column in rows.items() if key.startswith(NEXT)}
        q_t = self.network(rows)
        action = rows["action"].view(-1, 1, 1).expand(-1, q_t.shape[1], 1)
        chosen = q_t.gather(2, action).squeeze(2)
        target_t = self._targets(rows, following)
        loss = (td_loss(chosen, target_t) * rows["mask"]).sum() / rows["mask"].sum().clamp(min=1)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    @torch.no_grad()
    def _targets(self, rows: Mapping[str, Tensor], following: Mapping[str, Tensor]) -> Tensor:
        """[b, H] double-Q targets, each head its own."""
        selector, judge = self.network(following), self.target(following)
        table, num_heads = self.network.encoder.items, selector.shape[1]
        if table.has_dates and "hour" in following:
            selector = selector.masked_fill(~table.on_offer(following["hour"]).unsqueeze(1), -torch.inf)
        flat = double_q_target(
            rows["reward"].repeat_interleave(num_heads),
            rows["discount"].repeat_interleave(num_heads),
            selector.flatten(0, 1),
            judge.flatten(0, 1),
        )
        return flat.view(-1, num_heads)
