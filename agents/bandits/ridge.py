"""Ridge regressions that learn from batches: the posterior mean and width behind linear bandits.

A = ridge I + sum x x',  b = sum r x;  mean theta = A^-1 b, covariance of theta = A^-1 (times the noise)

Several independent regressions share one array, one per arm; a single one is an array of one arm. Symbols: A
arms, d features, n observations.
"""

from __future__ import annotations

import numpy as np

from agents.sampling import FloatArray, IntArray


class Ridge:
    """A ridge regressions of d features each.

    Adding a batch at once gives what adding its rows one by one gives: the sums are the same. The inverse is
    made anew for the arms that a batch touched, so rounding does not add up.

    Args:
        num_arms: A.
        dim: d.
        ridge: above 0.

    Attributes:
        precision: [A, d, d] float64, A above.
        moment: [A, d] float64, b.
        covariance: [A, d, d] float64, A^-1.
        theta: [A, d] float64.

    Source: Li et al. (2010), "A contextual-bandit approach to personalized news article recommendation",
        algorithm 1; Agrawal and Goyal (2013), "Thompson sampling for contextual bandits with linear payoffs".
    """

    def __init__(self, num_arms: int, dim: int, ridge: float) -> None:
        self.precision = np.broadcast_to(ridge * np.eye(dim), (num_arms, dim, dim)).copy()
        self.moment = np.zeros((num_arms, dim))
        self.refresh(np.arange(num_arms))

    def set_sums(self, precision: FloatArray, moment: FloatArray) -> None:
        """Become the regressions of these sums."""
        self.precision, self.moment = precision.copy(), moment.copy()
        self.refresh(np.arange(len(moment)))

    def refresh(self, arms: IntArray) -> None:
        """Solve some arms anew."""
        if not hasattr(self, "covariance"):
            self.covariance, self.theta = np.empty_like(self.precision), np.empty_like(self.moment)
        self.covariance[arms] = np.linalg.inv(self.precision[arms])
        self.theta[arms] = np.einsum("aij,aj->ai", self.covariance[arms], self.moment[arms])

    def update(self, arm: IntArray, features: FloatArray, reward: FloatArray) -> None:
        """Add observations, and solve the arms that they touched anew.

        Args:
            arm: [n] int64; features: [n, d] float64; reward: [n] float64.
        """
        if len(self.moment) == 1:
            self.precision[0] += features.T @ features
            self.moment[0] += reward @ features
        else:
            np.add.at(self.precision, arm, features[:, :, None] * features[:, None, :])
            np.add.at(self.moment, arm, reward[:, None] * features)
        self.refresh(np.unique(arm))
