"""How policies of a softmax over items act: greedily, by drawing, or in two stages."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from agents.choices import Choices, choices_in
from agents.encoders import ItemTable, to_tensors
from agents.gradient.policy_network import PolicyNetwork, PolicyOutput
from agents.learning.offline import OfflineAgent
from agents.sampling import (
    FloatArray,
    IntArray,
    as_action,
    offered_log_conditional,
    offered_log_propensity,
    sample_slate,
    slate_log_propensity,
    top_k,
)
from agents.spec import Observation
from recsim_env import Decision


class SoftmaxPolicy(OfflineAgent):
    """The acting half of a learner with a `PolicyNetwork`; its config says `acting` and `num_candidates`."""

    def item_tables(self) -> list[ItemTable]:
        """The encoder's."""
        return [self._policy().encoder.items]

    def _policy(self) -> PolicyNetwork:
        assert isinstance(self.network, PolicyNetwork)
        return self.network

    def item_scores(self, observation: Mapping[str, Tensor], items: Tensor | None) -> Tensor:
        """Log-weights of the softmax policy; of two stages, those of the first."""
        return self._policy()(observation, items).logits

    def decide(
        self, observation: Mapping[str, Tensor], choices: Choices | None, generator: np.random.Generator
    ) -> Decision:
        """The most probable choices, or a draw from the policy with its exact propensity."""
        num_slots = self.spec.slate_size
        output = self._policy()(observation, None if choices is None else choices.candidates)
        if self.config.acting == "greedy":
            slate = top_k(self._score(output, choices), num_slots)
            action = as_action(slate) if choices is None else choices.action(slate)
            return Decision(action, np.ones(len(slate)))
        log_prob = torch.log_softmax(output.logits.double(), dim=1).numpy()
        if choices is None:
            slate = sample_slate(log_prob, num_slots, generator)
            return Decision(as_action(slate), np.exp(slate_log_propensity(slate, log_prob)))
        weight = choices.score(log_prob)
        slate = sample_slate(weight, num_slots, generator)
        return Decision(choices.action(slate), np.exp(offered_log_propensity(slate, weight)))

    def _score(self, output: PolicyOutput, choices: Choices | None) -> FloatArray:
        """[B, n] float64: what each choice is ranked by; -inf of what is not on offer, or not nominated."""

        def offered(column: Tensor) -> FloatArray:
            score: FloatArray = column.double().numpy()
            return score if choices is None else choices.score(score)

        score = offered(output.logits)
        num_candidates = min(self.config.num_candidates, score.shape[1])
        if num_candidates == 0:
            return score
        assert output.value is not None
        nominated = np.zeros(score.shape, bool)
        np.put_along_axis(nominated, top_k(score, num_candidates), True, axis=1)
        return np.where(nominated & (score > -np.inf), offered(output.value), -np.inf)

    def item_prob(self, observation: Observation) -> FloatArray:
        """[B, n] float64: probability of every choice, in plain worlds of every item, at position 0."""
        score = self._scores(observation)
        if self.config.acting == "greedy":
            return (np.arange(score.shape[1]) == np.argmax(score, axis=1)[:, None]).astype(np.float64)
        prob: FloatArray = torch.softmax(torch.from_numpy(score), dim=1).numpy()
        return prob

    def _scores(self, observation: Observation) -> FloatArray:
        """`_score` of an observation."""
        self.spec.check(observation)
        dates = self.item_tables()[0].dates
        choices = choices_in(observation, self.spec.num_items, dates, self.spec.slate_size)
        with torch.inference_mode():
            output = self._policy()(to_tensors(observation), None if choices is None else choices.candidates)
        return self._score(output, choices)

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
