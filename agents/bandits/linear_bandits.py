"""Linear bandits: LinUCB and linear Thompson sampling on live users, batch by batch.

    r = x' theta + noise;  theta ~ mean A^-1 b, covariance A^-1  (`ridge.py`; x: `context.py`)

    LinUCB    shows the largest  x' theta + alpha sqrt(x' A^-1 x)
    Thompson  draws theta~ from N(theta, v^2 A^-1) for every user and shows the largest  x' theta~

They look at the next reward alone: what a recommendation does to a user is not their business.
"""

from __future__ import annotations

import numpy as np

from agents.bandits.linear_learner import LinearBandit, LinearBanditConfig
from agents.choices import Choices
from agents.sampling import FloatArray, IntArray, top_k
from agents.spec import Observation


class LinUCB(LinearBandit):
    """Optimism: the upper end of what the reward may be, mean plus alpha standard deviations.

    Deterministic given what it has learned: propensity 1.

    Source: Li, Chu, Langford and Schapire (2010), "A contextual-bandit approach to personalized news article
    recommendation", algorithm 1 (disjoint); the shared model is the same with one theta for all items, as in
    Chu et al. (2011), "Contextual bandits with linear payoff functions"; algorithm 2 (hybrid), see
    `agents.bandits.hybrid`.
    """

    name = "linucb"

    def _explored(
        self, observation: Observation, items: IntArray, generator: np.random.Generator
    ) -> FloatArray:
        width = np.sqrt(np.maximum(self._variance(observation, items), 0.0))
        return self._mean(observation, items) + self.config.exploration * width


class LinearThompson(LinearBandit):
    """Probability matching: the best item under a draw from the posterior, a fresh draw for every user.

    While it explores, the probability of a slate has no closed form. The stated propensity is an estimate:
    the share of this decision and `propensity_draws` further draws in which the same ordered slate comes out
    best. It exceeds the truth p by (1 - p) / (draws + 1) on average, and is never 0.

    Source: Agrawal and Goyal (2013), "Thompson sampling for contextual bandits with linear payoffs",
    algorithm 1 (shared); one such posterior per item (disjoint).
    """

    name = "lints"

    def __init__(self, config: LinearBanditConfig | None = None) -> None:
        super().__init__(config)
        if self.config.model == "hybrid":
            raise ValueError("model: expected 'disjoint' or 'shared' for LinearThompson, got 'hybrid'")

    def _explored(
        self, observation: Observation, items: IntArray, generator: np.random.Generator
    ) -> FloatArray:
        scale, batch = self.config.exploration, len(observation["history_items"])
        if self.config.model == "shared":
            covariance, theta = self.regressions.covariance[0], self.regressions.theta
            noise = generator.standard_normal((batch, len(covariance)))
            return self._mean(observation, items, theta + scale * noise @ np.linalg.cholesky(covariance).T)
        # Independent posteriors: so are the scores of different items.
        width = np.sqrt(np.maximum(self._variance(observation, items), 0.0))
        return self._mean(observation, items) + scale * width * generator.standard_normal(width.shape)

    def _propensity(
        self,
        observation: Observation,
        slate: IntArray,
        choices: Choices | None,
        items: IntArray,
        generator: np.random.Generator,
        explore: bool,
    ) -> FloatArray:
        if not explore:
            return np.ones(len(slate))
        same = np.ones(len(slate))
        for _ in range(self.config.propensity_draws):
            scores = self._explored(observation, items, generator)
            again = top_k(scores if choices is None else choices.score(scores), slate.shape[1])
            same += (again == slate).all(axis=1)
        return same / (self.config.propensity_draws + 1)
