"""How much of the state space a policy's users pass through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from recsim_env.metrics.exploration import action_entropy, catalog_coverage

if TYPE_CHECKING:
    from recsim_env.rollout import Impressions


class StateTally:
    """Visits to observable states: segment, and the topics of the user's last two interactions.

    Coarse on purpose: S (C + 1)^2 states are few enough to be counted exactly, and an agent's choices decide
    which of them its users get to.

    Args:
        topic: [N] int64 in [0, C), the public topic of each item.
        num_topics: C.
        num_segments: S.

    Attributes:
        visits: [S (C + 1)^2] int64, decisions taken in each state.
    """

    def __init__(self, topic: NDArray[np.int64], num_topics: int, num_segments: int) -> None:
        self.topic = np.append(topic, num_topics)
        self.num_topics = num_topics
        self.visits = np.zeros(num_segments * (num_topics + 1) ** 2, np.int64)

    def update(self, batch: Impressions) -> None:
        """Add one batch of decisions; rows may come in any order."""
        history = batch.observation["history_items"]
        width = self.num_topics + 1
        last = self.topic[history[:, -1]]
        before = self.topic[history[:, -2]] if history.shape[1] > 1 else np.full(len(last), self.num_topics)
        segment = np.asarray(batch.observation["segment"], np.int64)
        self.visits += np.bincount((segment * width + before) * width + last, minlength=len(self.visits))

    def merge(self, other: StateTally) -> Self:
        """Add the visits of another tally; returns itself."""
        self.visits += other.visits
        return self

    def result(self) -> dict[str, float]:
        """`state_coverage` in [0, 1], the share of states visited; `state_entropy` in nats, of the visits.

        Source: the entropy of the state distribution of Hazan et al. (2019), Provably efficient maximum
        entropy exploration; ours: which states are told apart.
        """
        return {"state_coverage": catalog_coverage(self.visits), "state_entropy": action_entropy(self.visits)}
