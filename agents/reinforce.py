"""Off-policy REINFORCE with capped importance weights: a softmax policy learned from another policy's log.

Source: Chen, Beutel, Covington, Jain, Belletti and Chi (2019), "Top-K off-policy correction for a REINFORCE
recommender system", WSDM; without the learned behaviour model, since our logs record the true propensities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor, nn

from agents.batches import LogTensors, gather, minibatches
from agents.encoders import ItemScorer, SequenceEncoder
from agents.losses import (
    DEFAULT_WEIGHT_CAP,
    importance_weights,
    plackett_luce_log_prob,
    reinforce_loss,
    returns_to_go,
    softmax_entropy,
)
from agents.offline import REPORT_EVERY, OfflineAgent, Progress, TrainingConfig
from agents.sampling import as_action, sample_slate, slate_log_propensity, top_k
from agents.spec import ObservationSpec
from recsim_env import Decision

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog


@dataclass(frozen=True)
class ReinforceConfig(TrainingConfig):
    """Settings of off-policy REINFORCE.

    Attributes:
        gamma: discount of the return-to-go, in [0, 1].
        weight_cap: upper bound of the importance weights; e^3 as published.
        warm_start: share of the updates, from the start, in which the ratio's numerator is the uniform
            policy.
        entropy_weight: factor of the entropy bonus.
        acting: "greedy" shows the most probable items, "sample" draws from the policy.
    """

    gamma: float = 0.5
    weight_cap: float = DEFAULT_WEIGHT_CAP
    warm_start: float = 0.5
    entropy_weight: float = 0.0
    acting: Literal["greedy", "sample"] = "greedy"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.gamma <= 1.0:
            raise ValueError(f"gamma: expected in [0, 1], got {self.gamma}")
        if not self.weight_cap > 0:
            raise ValueError(f"weight_cap: expected above 0, got {self.weight_cap}")
        if not 0.0 <= self.warm_start <= 1.0:
            raise ValueError(f"warm_start: expected in [0, 1], got {self.warm_start}")
        if not (math.isfinite(self.entropy_weight) and self.entropy_weight >= 0):
            raise ValueError(
                f"entropy_weight: expected a finite number of at least 0, got {self.entropy_weight}"
            )
        if self.acting not in ("greedy", "sample"):
            raise ValueError(f"acting: expected 'greedy' or 'sample', got {self.acting!r}")


class PolicyNetwork(nn.Module):
    """Encoder, softmax policy over items, and a state-value baseline that leaves the encoder alone."""

    def __init__(self, spec: ObservationSpec, num_topics: int, dim: int) -> None:
        super().__init__()
        self.encoder = SequenceEncoder(spec, num_topics, dim)
        self.policy = ItemScorer(spec.num_items, dim)
        self.baseline = nn.Linear(dim, 1)

    def forward(self, observation: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Logits [B, N] and baseline [B]."""
        table = self.encoder.items()
        state = self.encoder(observation, table)
        return self.policy(state, table), self.baseline(state.detach()).squeeze(1)


class Reinforce(OfflineAgent):
    """Softmax policy trained on the log by the capped importance-weighted score function.

    gradient = mean_t w_t (G_t - b(s_t)) grad log pi(a_t | s_t)
    w_t      = min(pi(a_t | s_t) / beta(a_t | s_t), cap)

    G_t is the discounted return-to-go inside the session (a truncated session's tail counts as 0); the
    baseline b is a linear value head on the state with its gradient blocked, regressed on G.

    Warm start (Ours): at the start pi is uniform, so every weight of an item that the logging policy likes
    is tiny and learning crawls. The first updates therefore hold the numerator at the uniform policy and
    drop the baseline, which is inverse-propensity-weighted maximum likelihood, a lower bound of the same
    objective (Ma et al. 2019, "Imitation-regularized offline learning").

    Slates are one action: pi(A|s) is the Plackett-Luce probability of the ordered slate, the exact
        counterpart of the
    recorded slate propensity. Acts greedily by default (propensity 1); with `acting="sample"` it draws from
    pi and states the exact propensity.
    """

    name = "ips"
    config_class = ReinforceConfig

    def make_network(self) -> nn.Module:
        return PolicyNetwork(self.spec, self.num_topics, self.config.dim)

    def set_catalog(self, catalog: PublicCatalog) -> None:
        self._policy().encoder.items.set_catalog(catalog)

    def _policy(self) -> PolicyNetwork:
        assert isinstance(self.network, PolicyNetwork)
        return self.network

    def train(self, data: LogTensors, generator: torch.Generator, progress: Progress) -> None:
        config: ReinforceConfig = self.config
        network = self._policy()
        optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=True)
        returns = returns_to_go(data.reward.numpy(), data.last.numpy(), config.gamma)
        return_t = torch.from_numpy(returns.astype(np.float32))
        log_uniform = -float(
            np.log(np.arange(self.spec.num_items, self.spec.num_items - self.spec.slate_size, -1)).sum()
        )
        total = config.num_updates(len(data))
        for update, rows in enumerate(minibatches(len(data), config.batch_size, total, generator)):
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * (1 - update / total)
            logits, baseline = network(gather(data.observation, rows))
            log_prob = plackett_luce_log_prob(torch.log_softmax(logits, dim=1), data.item[rows])
            warm = update < config.warm_start * total
            numerator = torch.full_like(log_prob, log_uniform) if warm else log_prob
            weight = importance_weights(numerator, data.log_propensity[rows], config.weight_cap)
            advantage = return_t[rows] if warm else return_t[rows] - baseline
            policy_loss = reinforce_loss(log_prob, advantage, weight).mean()
            value_loss = ((baseline - return_t[rows]) ** 2).mean()
            loss = policy_loss + value_loss
            if config.entropy_weight > 0:
                loss = loss - config.entropy_weight * softmax_entropy(logits).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), config.max_grad_norm)
            optimizer.step()
            if (update + 1) % REPORT_EVERY == 0 or update + 1 == total:
                progress(
                    update + 1,
                    total,
                    {
                        "loss": loss.item(),
                        "value": value_loss.item(),
                        "weight": weight.mean().item(),
                        "effective": (weight.sum() ** 2 / (weight**2).sum() / len(weight)).item(),
                    },
                )

    def decide(self, observation: Mapping[str, Tensor], generator: np.random.Generator) -> Decision:
        logits, _ = self._policy()(observation)
        log_prob = torch.log_softmax(logits.double(), dim=1).numpy()
        if self.config.acting == "greedy":
            return Decision(as_action(top_k(log_prob, self.spec.slate_size)), np.ones(len(log_prob)))
        slate = sample_slate(log_prob, self.spec.slate_size, generator)
        return Decision(as_action(slate), np.exp(slate_log_propensity(slate, log_prob)))
