"""Hybrid linear regressions: coefficients that all items share beside each item's own, in closed form.

    r = z' beta + x' theta_a + noise;  beta ~ N(0, I / ridge), theta_a ~ N(0, I / ridge)

Li et al. (2010), algorithm 2, keep A_0, b_0, A_a, B_a and b_a. Here x and the item determine z = L_a x
(`ContextFeatures.lift`), so that B_a = (A_a - ridge I) L_a', and all follows from A_a and b_a. With
C_a = A_a^-1:

    A_0   = ridge I + sum_a L_a (ridge I - ridge^2 C_a) L_a'
    b_0   = ridge sum_a L_a C_a b_a,   beta = A_0^-1 b_0
    phi_a = L_a' beta + theta_a = C_a (b_a + ridge L_a' beta)
    V_a   = C_a + ridge^2 C_a L_a' A_0^-1 L_a C_a,   s_a = x' V_a x

An item is scored as a disjoint one is, with mean phi_a and covariance V_a. Symbols: N items, S segments, C
topics, k features z, d = S + 3 features x.

Source: Li, Chu, Langford and Schapire (2010), "A contextual-bandit approach to personalized news article
recommendation", algorithm 2; what follows from z = L_a x is ours.
"""

from __future__ import annotations

import numpy as np

from agents.bandits.context import ContextFeatures
from agents.bandits.ridge import Ridge
from agents.sampling import IntArray


class HybridRidge(Ridge):
    """The regressions of a catalog's items, tied together by the shared coefficients.

    Args:
        features: of the catalog.
        ridge: above 0.

    Attributes:
        precision, moment: A_a and b_a, as `Ridge`; they are updated as if there were no beta.
        covariance: [N, d, d] float64, V_a.
        theta: [N, d] float64, phi_a.
        beta: [k] float64.
    """

    def __init__(self, features: ContextFeatures, ridge: float) -> None:
        num_items, dim = len(features.topic), features.disjoint_dim
        self.topic, self.ridge, self.shared_dim = features.topic, ridge, features.shared_dim
        self.places, self.lift = features.lift()
        self._inverse = np.empty((num_items, dim, dim))
        super().__init__(num_items, dim, ridge)

    def refresh(self, arms: IntArray) -> None:
        """Solve some arms anew, and with them the coefficients that all share."""
        self._inverse[arms] = np.linalg.inv(self.precision[arms])
        inverse, lift = self._inverse, self.lift
        alone = np.einsum("aij,aj->ai", inverse, self.moment)
        lifted = self.ridge * (lift @ inverse)  # ridge L_a C_a, [N, S + 5, d]: rows that z has for the topic
        known = self.ridge * (lift - lifted) @ lift.swapaxes(1, 2)
        pulled = np.einsum("aij,aj->ai", lifted, self.moment)
        precision, moment = self.ridge * np.eye(self.shared_dim), np.zeros(self.shared_dim)
        of_topic = np.zeros((len(self.places), *known.shape[1:]))
        np.add.at(of_topic, self.topic, known)
        np.add.at(precision, (self.places[:, :, None], self.places[:, None, :]), of_topic)
        np.add.at(moment, self.places[self.topic], pulled)
        shared = np.linalg.inv(precision)
        self.beta = shared @ moment
        self.theta = alone + np.einsum("aij,ai->aj", lifted, self.beta[self.places[self.topic]])
        spread = shared[self.places[:, :, None], self.places[:, None, :]]
        self.covariance = inverse + lifted.swapaxes(1, 2) @ spread[self.topic] @ lifted
