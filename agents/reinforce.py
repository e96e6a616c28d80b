"""Off-policy REINFORCE with capped importance weights: a softmax policy learned from another policy's log.

Source: Chen, Beutel, Covington, Jain, Belletti and Chi (2019), "Top-K off-policy correction for a REINFORCE
recommender system", WSDM; without the learned behaviour model, since our logs record the true propensities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from agents.batches import LogTensors, gather
from agents.choices import Choices, best_action, choices_in
from agents.encoders import ItemScorer, ItemTable, SequenceEncoder, to_tensors
from agents.losses import (
    DEFAULT_WEIGHT_CAP,
    importance_weights,
    plackett_luce_log_prob,
    reinforce_loss,
    returns_to_go,
    softmax_entropy,
)
from agents.offline import OfflineAgent, TrainingConfig
from agents.sampling import (
    FloatArray,
    IntArray,
    as_action,
    offered_log_conditional,
    offered_log_propensity,
    sample_slate,
    slate_log_propensity,
)
from agents.spec import Observation, ObservationSpec
from recsim_env import Decision


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

    gamma: float = 0.3
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

    def forward(
        self, observation: Mapping[str, Tensor], items: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits of all items, [B, N], or of chosen ones, [B, M] integer, and baseline [B]."""
        table = self.encoder.items()
        state = self.encoder(observation, table)
        logits = self.policy(state, table) if items is None else self.policy.of_items(state, table, items)
        return logits, self.baseline(state.detach()).squeeze(1)


class Reinforce(OfflineAgent):
    """Softmax policy trained on the log by the capped importance-weighted score function.

    gradient = mean_t w_t A_t grad log pi(a_t | s_t)
    w_t      = min(pi(a_t | s_t) / beta(a_t | s_t), cap)
    A_t      = max(G_t - b(s_t), 0)

    G_t is the discounted return-to-go inside the session, as logged (what a truncated session would still
    have earned counts as 0). The baseline b is a linear value head on the state with its gradient blocked,
    regressed on G.

    Two departures from the paper, each because without it training fails on a log of this kind (Ours):

    - Advantages below the baseline are dropped. They would push logged items down, and a policy gains by
      that objective just by leaving the log's support, where nothing contradicts it ("propensity
      overfitting", Swaminathan and Joachims 2015, "The self-normalized estimator for counterfactual
      learning"); only what turned out better than expected is imitated (as in Oh et al. 2018,
      "Self-imitation learning").
    - Warm start: at first pi is uniform, so the weight of every item that the logging policy likes is tiny,
      and learning crawls. The first updates hold the numerator at the uniform policy, which is maximum
      likelihood weighted by inverse propensity and advantage, a lower bound of the same objective (Ma et
      al. 2019, "Imitation-regularized offline learning").

    Slates are one action: pi(A|s) is the Plackett-Luce probability of the ordered slate, the exact
    counterpart of the recorded slate propensity. Their weight is the K-th root of the ratio, the geometric
    mean over slots (Ours: biased, but of the whole ratio a few decisions in a hundred would carry all the
    weight). Acts greedily by default (propensity 1); with
    `acting="sample"` it draws from pi, restricted to what is on offer, and states the exact propensity.
    """

    name = "ips"
    config_class = ReinforceConfig

    def make_network(self) -> nn.Module:
        """One policy network."""
        return PolicyNetwork(self.spec, self.num_topics, self.config.dim)

    def item_tables(self) -> list[ItemTable]:
        """The encoder's."""
        return [self._policy().encoder.items]

    def _policy(self) -> PolicyNetwork:
        assert isinstance(self.network, PolicyNetwork)
        return self.network

    def begin(self, data: LogTensors) -> list[torch.optim.Optimizer]:
        """One, and the log's returns-to-go."""
        config: ReinforceConfig = self.config
        returns = returns_to_go(data.reward.numpy(), data.last.numpy(), config.gamma)
        self._return_t = torch.from_numpy(returns.astype(np.float32))
        self._optimizer = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate, fused=True)
        return [self._optimizer]

    def update(
        self, data: LogTensors, rows: Tensor, done: float, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """One step; while the training is young, with the uniform policy as the ratio's numerator."""
        config: ReinforceConfig = self.config
        return_t, warm = self._return_t[rows], done < config.warm_start
        logits, baseline = self._policy()(gather(data.observation, rows))
        log_prob = plackett_luce_log_prob(torch.log_softmax(logits, dim=1), data.item[rows])
        numerator = torch.full_like(log_prob, self._log_uniform()) if warm else log_prob
        slots = self.spec.slate_size
        weight = importance_weights(numerator / slots, data.log_propensity[rows] / slots, config.weight_cap)
        advantage = torch.clamp(return_t - baseline, min=0)
        policy_loss = reinforce_loss(log_prob, advantage, weight).mean()
        value_loss = ((baseline - return_t) ** 2).mean()
        loss = policy_loss + value_loss
        if config.entropy_weight > 0:
            loss = loss - config.entropy_weight * softmax_entropy(logits).mean()
        self.descend(self._optimizer, self.network, loss)
        effective = weight.sum() ** 2 / (len(weight) * (weight**2).sum()).clamp(min=1e-30)
        return {
            "loss": loss.detach(),
            "value": value_loss.detach(),
            "weight": weight.mean(),
            "effective": effective,
        }

    def _log_uniform(self) -> float:
        """Log-probability of any ordered slate under the uniform policy."""
        num_items, slate_size = self.spec.num_items, self.spec.slate_size
        return -float(np.log(np.arange(num_items, num_items - slate_size, -1)).sum())

    def item_scores(self, observation: Mapping[str, Tensor], items: Tensor | None) -> Tensor:
        """Log-weights of the softmax policy."""
        return self._policy()(observation, items)[0]

    def decide(
        self, observation: Mapping[str, Tensor], choices: Choices | None, generator: np.random.Generator
    ) -> Decision:
        """The most probable choices, or a draw from the policy with its exact propensity."""
        num_slots = self.spec.slate_size
        logits, _ = self._policy()(observation, None if choices is None else choices.candidates)
        log_prob = torch.log_softmax(logits.double(), dim=1).numpy()
        if self.config.acting == "greedy":
            return Decision(best_action(log_prob, choices, num_slots), np.ones(len(log_prob)))
        if choices is None:
            slate = sample_slate(log_prob, num_slots, generator)
            return Decision(as_action(slate), np.exp(slate_log_propensity(slate, log_prob)))
        weight = choices.score(log_prob)
        slate = sample_slate(weight, num_slots, generator)
        return Decision(choices.action(slate), np.exp(offered_log_propensity(slate, weight)))

    def item_prob(self, observation: Observation) -> FloatArray:
        """[B, n] float64: probability of every choice, in plain worlds of every item, at position 0."""
        score = self._scores(observation)
        if self.config.acting == "greedy":
            return (np.arange(score.shape[1]) == np.argmax(score, axis=1)[:, None]).astype(np.float64)
        prob: FloatArray = torch.softmax(torch.from_numpy(score), dim=1).numpy()
        return prob

    def _scores(self, observation: Observation) -> FloatArray:
        """[B, n] float64: logits of every choice; -inf of what is not on offer."""
        self.spec.check(observation)
        dates = self.item_tables()[0].dates
        choices = choices_in(observation, self.spec.num_items, dates, self.spec.slate_size)
        with torch.inference_mode():
            candidates = None if choices is None else choices.candidates
            logits, _ = self._policy()(to_tensors(observation), candidates)
        score: FloatArray = logits.double().numpy()
        return score if choices is None else choices.score(score)

    def item_propensity(self, observation: Observation, slate: IntArray) -> FloatArray:
        """[B, K] float64: probability of each choice of these slates given those above it."""
        if self.config.acting == "greedy":
            score, prob = self._scores(observation), np.empty(slate.shape)
            for position in range(slate.shape[1]):
                prob[:, position] = score.argmax(axis=1) == slate[:, position]
                np.put_along_axis(score, slate[:, position : position + 1], -np.inf, axis=1)
            return prob
        with np.errstate(divide="ignore"):
            return np.exp(offered_log_conditional(slate, np.log(self.item_prob(observation))))
