"""Off-policy REINFORCE: a softmax policy learned from another policy's log by weighted policy gradients.

Source: Chen, Beutel, Covington, Jain, Belletti and Chi (2019), "Top-K off-policy correction for a REINFORCE
recommender system", WSDM, and the estimators that `agents.gradient.reinforce_config.PRESETS` name.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from agents.gradient.policy_network import PolicyNetwork
from agents.gradient.reinforce_config import ReinforceConfig
from agents.gradient.softmax_policy import SoftmaxPolicy
from agents.learning.batches import LogTensors, gather
from agents.losses import (
    direct_loss,
    importance_weights,
    plackett_luce_log_prob,
    reinforce_loss,
    returns_to_go,
    self_normalized_advantage,
    softmax_entropy,
    top_k_multiplier,
    two_stage_log_prob,
    variance_factor,
    weight_metrics,
)


class Reinforce(SoftmaxPolicy):
    """Softmax policy trained on the log by the importance-weighted score function.

    gradient = mean_t w_t A_t grad log pi(a_t | s_t)
    w_t      = min(pi(a_t | s_t) / beta(a_t | s_t), cap)
    A_t      = max(G_t - b(s_t), 0)

    G_t is the discounted return-to-go inside the session, as logged (what a truncated session would still
    have earned counts as 0). The baseline b is a linear value head on the state with its gradient blocked,
    regressed on G. That is the default, the preset "ips"; w, A and beta are settings (`ReinforceConfig`),
    and `PRESETS` names the published combinations, from no correction to doubly robust.

    The default departs twice from the paper, since without the one training fails on our logs, without the
    other on short ones (Ours); the textbook form is `advantage="raw", warm_start=0.0`:

    - Advantages below the baseline are dropped. They would push logged items down, and a policy gains by
      that objective just by leaving the log's support, where nothing contradicts it ("propensity
      overfitting", Swaminathan and Joachims 2015, "The self-normalized estimator for counterfactual
      learning"); only what turned out better than expected is imitated (as in Oh et al. 2018,
      "Self-imitation learning"). Raw returns are no cure: they never push an item down, but then all that is
      logged is pushed up.
    - Warm start: the first updates leave the weights out, which is maximum likelihood weighted by the
      advantage. At first pi is uniform, so the weight of every item that the logging policy likes is tiny:
      what it knew of the users is thrown away before the network knows anything, and a log is rarely long
      enough to learn it anew from the few decisions that are left with weight.

    Slates are one action by default: pi(A|s) is the Plackett-Luce probability of the ordered slate, the
    exact counterpart of the recorded slate propensity. Their weight is the K-th root of the ratio, the
    geometric mean over slots (Ours: biased, but of the whole ratio a few decisions in a hundred would carry
    all the weight). With `slates="items"` every shown item counts as one action that earned its own part of
    the reward, with the top-K multiplier (Chen et al. 2019, section 4.3); its propensity among the items of
    the slate is not in the log and must be estimated.

    With `num_candidates` the policy is the first of two stages: it nominates, and the reward model, which
    the log trains beside it, picks. Acts greedily by default (propensity 1); with `acting="sample"` it draws
    from pi, restricted to what is on offer, and states the exact propensity.
    """

    name = "ips"
    config_class = ReinforceConfig

    def make_network(self) -> PolicyNetwork:
        """One policy network with the heads that the settings need."""
        config: ReinforceConfig = self.config
        return PolicyNetwork(
            self.spec,
            self.num_topics,
            config.dim,
            config.encoder,
            behaviour_head=config.behaviour == "estimated",
            value_head=config.has_reward_model,
        )

    def begin(self, data: LogTensors) -> list[torch.optim.Optimizer]:
        """One, the log's returns-to-go, and its items' popularity.

        Raises:
            ValueError: the settings ask of the log's slates what only single items, or items of slates,
                have.
        """
        config: ReinforceConfig = self.config
        self._check(config)
        returns = returns_to_go(data.reward.numpy(), data.last.numpy(), config.gamma)
        self._return_t = torch.from_numpy(returns.astype(np.float32))
        if config.slates == "items":  # an item's own reward, and all that follows the slate
            self._return_t = data.slot_reward + (self._return_t - data.reward).unsqueeze(1)
        count = torch.bincount(data.item.flatten(), minlength=self.spec.num_items)
        self._log_popularity = torch.log((count + 1.0) / (count + 1.0).sum())
        self._optimizer = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate, fused=True)
        return [self._optimizer]

    def _check(self, config: ReinforceConfig) -> None:
        num_slots = self.spec.slate_size
        if config.num_candidates > self.spec.num_items:
            raise ValueError(
                f"num_candidates: expected at most {self.spec.num_items} items, got {config.num_candidates}"
            )
        if num_slots == 1:
            return
        if config.num_candidates:
            raise ValueError(
                f"num_candidates: expected 0 for slates of {num_slots}, whose ranker picks one item"
            )
        if config.slates == "items" and config.behaviour == "recorded":
            raise ValueError(
                f"behaviour: expected 'estimated' where slates='items', since the log has the propensity of "
                f"whole slates of {num_slots}; got 'recorded'"
            )
        if config.slates == "joint" and config.doubly_robust:
            raise ValueError(
                f"slates: expected 'items' where doubly_robust is set, since the reward model is of items, "
                f"not of slates of {num_slots}; got 'joint'"
            )

    def update(
        self, data: LogTensors, rows: Tensor, done: float, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """One step; while the training is young, without weights."""
        config: ReinforceConfig = self.config
        item, return_t = data.item[rows], self._return_t[rows].flatten()
        output = self._policy()(gather(data.observation, rows))
        log_policy = torch.log_softmax(output.logits, dim=1)
        log_prob = self._log_prob(log_policy, item, output.value, generator)
        log_propensity, behaviour_loss = self._behaviour(data, rows, item, output.behaviour)
        root = self.spec.slate_size // self._rows_per_slate()
        weighting = "none" if done < config.warm_start else config.weighting
        weight = importance_weights(log_prob / root, log_propensity / root, config.weight_cap, weighting)
        baseline = output.baseline.repeat_interleave(self._rows_per_slate())
        value_loss = ((baseline - return_t) ** 2).mean()
        policy_loss = self._policy_loss(log_policy, log_prob, item, return_t, baseline, output.value, weight)
        loss = policy_loss + value_loss
        metrics = {
            "value": output.baseline.detach().mean(),
            "baseline": value_loss.detach(),
            **weight_metrics(weight),
        }
        if output.value is not None:
            model_loss = ((output.value.gather(1, item).flatten() - return_t) ** 2).mean()
            loss, metrics["model"] = loss + model_loss, model_loss.detach()
        if behaviour_loss is not None:
            loss, metrics["behaviour"] = loss + behaviour_loss, behaviour_loss.detach()
        if config.entropy_weight > 0:
            loss = loss - config.entropy_weight * softmax_entropy(output.logits).mean()
        self.descend(self._optimizer, self.network, loss)
        return {"loss": loss.detach(), **metrics}

    def _policy_loss(
        self,
        log_policy: Tensor,
        log_prob: Tensor,
        item: Tensor,
        return_t: Tensor,
        baseline: Tensor,
        value: Tensor | None,
        weight: Tensor,
    ) -> Tensor:
        """The policy's loss, averaged: R rows are slates, or all their items one after another."""
        config: ReinforceConfig = self.config
        num_slots = self._rows_per_slate()
        advantage = return_t if config.advantage == "raw" else return_t - baseline
        if config.advantage == "positive":
            advantage = torch.clamp(advantage, min=0)
        if config.doubly_robust:
            assert value is not None
            advantage = return_t - value.gather(1, item).flatten()
        if config.weighting == "snips":
            advantage = self_normalized_advantage(advantage, weight)
        if config.variance_penalty > 0:
            weight = weight * variance_factor(weight * advantage, config.variance_penalty)
        if num_slots > 1:
            weight = weight * top_k_multiplier(log_prob, num_slots)
        loss = reinforce_loss(log_prob, advantage, weight).mean()
        if config.doubly_robust:
            assert value is not None
            loss = loss + direct_loss(log_policy, value, num_slots).mean()
        return loss

    def _log_prob(
        self, log_policy: Tensor, item: Tensor, value: Tensor | None, generator: torch.Generator
    ) -> Tensor:
        """[R]: log-probability that the agent shows what was logged."""
        config: ReinforceConfig = self.config
        if not config.two_stage_correction:
            return self._of_logged(log_policy, item)
        assert value is not None
        return two_stage_log_prob(
            log_policy,
            item[:, 0],
            value / config.ranker_temperature,
            config.num_candidates,
            config.candidate_draws,
            generator,
        )

    def _of_logged(self, log_prob: Tensor, item: Tensor) -> Tensor:
        """[R] from [B, N]: of each slate as one action, or of each shown item."""
        if self.config.slates == "joint":
            return plackett_luce_log_prob(log_prob, item)
        return log_prob.gather(1, item).flatten()

    def _behaviour(
        self, data: LogTensors, rows: Tensor, item: Tensor, logits: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """[R] log-propensity of what was logged, and the loss of the head that estimates it."""
        kind = self.config.behaviour
        if logits is not None:
            log_propensity = self._of_logged(torch.log_softmax(logits, dim=1), item)
            return log_propensity.detach(), -log_propensity.mean()
        if kind == "recorded":
            return data.log_propensity[rows], None
        if kind == "popularity":
            return self._of_logged(self._log_popularity.expand(len(rows), -1), item), None
        num_rows = len(item) * self._rows_per_slate()
        return torch.full((num_rows,), self._log_uniform(), device=item.device), None

    def _log_uniform(self) -> float:
        """Log-probability of any ordered slate, or item, under the uniform policy."""
        num_items = self.spec.num_items
        num_slots = self.spec.slate_size // self._rows_per_slate()
        return -float(np.log(np.arange(num_items, num_items - num_slots, -1)).sum())

    def _rows_per_slate(self) -> int:
        """R / B: how many actions a slate counts as."""
        return self.spec.slate_size if self.config.slates == "items" else 1
