"""What users discover: topics that they had never clicked before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from recsim_env.metrics.open_users import OpenUsers
from recsim_env.metrics.running import added, as_slates, grown
from recsim_env.records import Event

if TYPE_CHECKING:
    from recsim_env.rollout import Impressions


class DiscoveryTally:
    """Topics that users click for the first time; remembers which topics the users of the day know.

    Args:
        topic: [N] int64 in [0, C), the public topic of each item.
        num_topics: C.
    """

    def __init__(self, topic: NDArray[np.int64], num_topics: int) -> None:
        self.topic = np.append(topic, num_topics)  # the padding of histories gets a topic of its own
        self.num_topics = num_topics
        self.num_users = 0
        self.found_at_step = np.zeros(0, np.int64)
        self.open = OpenUsers({"known": ((num_topics + 1,), np.bool_)})

    def update(self, batch: Impressions) -> None:
        """Add one batch of decisions, each user's in the order of time, one row per user."""
        action = as_slates(batch.action)
        if not action.size:
            return
        rows, fresh = self.open.rows(batch.user_id, batch.step)
        known = self.open.columns["known"]
        known[rows[fresh, None], self.topic[batch.observation["history_items"][fresh]]] = True
        line, slot = np.nonzero(batch.events.reshape(action.shape) & Event.CLICK)
        clicked = self.topic[action[line, slot]]
        new = ~known[rows[line], clicked]
        # Two clicks of one slate on the same new topic discover it once.
        pairs = np.unique(line[new] * (self.num_topics + 1) + clicked[new])
        step = batch.step[pairs // (self.num_topics + 1)]
        self.found_at_step = grown(self.found_at_step, int(batch.step.max()) + 1)
        np.add.at(self.found_at_step, step, 1)
        known[rows[line], clicked] = True
        over = batch.terminated | batch.truncated
        self.num_users += int(np.count_nonzero(over))
        self.open.close(batch.user_id[over])

    def merge(self, other: DiscoveryTally) -> Self:
        """Add the tally of other users; returns itself."""
        self.num_users += other.num_users
        self.found_at_step = added(self.found_at_step, other.found_at_step)
        self.open.merge(other.open)
        return self

    def result(self) -> dict[str, float]:
        """`new_topics_per_user`: topics clicked that were in no earlier click and not in the first history.

        Source: the discovery of new interests of Chen et al. (2021), Values of user exploration in
        recommender systems, sec. 3: consumption of topics that are not in the user's history.
        """
        return {"new_topics_per_user": int(self.found_at_step.sum()) / self._users()}

    def curve(self) -> NDArray[np.float64]:
        """[T] float64: the mean over all users of the topics discovered up to and including step t."""
        return np.cumsum(self.found_at_step) / self._users()

    def _users(self) -> int:
        if not self.num_users:
            raise ValueError("update: expected a terminated or truncated row before result, got none")
        return self.num_users
