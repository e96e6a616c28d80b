"""Bootstrapped DQN: an ensemble of Q heads on one encoder; every user is served by one head for a session.

Source: Osband, Blundell, Pritzel and Van Roy (2016), "Deep exploration via bootstrapped DQN", NeurIPS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from agents.choices import Choices, best_action, choices_in, decide_in_parts
from agents.encoders import check_encoder, to_tensors
from agents.learner import check_settings
from agents.online.ensemble import EnsembleNetwork
from agents.online.ensemble_learner import EnsembleLearner
from agents.online.live import Service
from agents.online.live_training import LiveRun, Taken
from agents.online.online_agent import OnlineAgent
from agents.sampling import FloatArray, IntArray
from agents.seeding import build, single_thread, torch_generator
from agents.spec import Observation
from recsim_env import Decision

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog


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
        run: LiveRun,
    ) -> None:
        generator, service = torch_generator(seed), Service(env, num_decisions)
        with single_thread():
            self.network = build(self._make_network, generator)
            self.network.encoder.items.set_catalog(catalog)
            self.network.to(run.training.device)
            ensemble = EnsembleLearner(self.network, self.config, env.num_envs, generator, seed)

            def put_back(tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
                service.restore(tensors, numbers["decisions"])
                ensemble.restore(tensors, numbers)

            def take() -> Taken:
                tensors, numbers = ensemble.take()
                return {**tensors, **service.take()}, numbers

            run.resume(put_back)
            served = service.steps(lambda seen: self._act_by(seen, ensemble.head))
            for step in () if run.stopped else served:
                ensemble.learn(step)
                begun = ensemble.num_updates > 0
                if not run.after(step.before, step.decisions, ensemble.report, take, begun):
                    break
        self.network.to("cpu").eval()

    @torch.inference_mode()
    def _values(self, observation: Observation) -> tuple[FloatArray, Choices | None]:
        """[B, H, n] float64 Q-values of every choice, and the choices."""
        choices = choices_in(observation, self.spec.num_items, self.network.encoder.items.dates, 1)
        device = self.network.value.weight.device
        seen = {key: column.to(device) for key, column in to_tensors(observation).items()}
        candidates = None if choices is None or choices.candidates is None else choices.candidates.to(device)
        values: FloatArray = self.network(seen, candidates).double().cpu().numpy()
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
        num_scores = self.spec.num_items * self.config.num_heads
        return decide_in_parts(lambda part: self._decide(part, generator), observation, num_scores)

    def _decide(self, observation: Observation, generator: np.random.Generator) -> Decision:
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
