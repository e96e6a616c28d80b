"""What users did: reward, session length, clicks, likes, purchases, revenue per user; reward over steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from recsim_env.records import Event

if TYPE_CHECKING:
    from recsim_env.rollout import Impressions


class EngagementTally:
    """Running sums of what users did, in memory that depends on the longest session only.

    A user counts once, when the episode ends (terminated or truncated): feed whole episodes, as `rollout`
    yields them. Means are over users, so a policy that keeps users longer is credited for it.
    """

    def __init__(self) -> None:
        self.num_users = 0
        self.num_decisions = 0
        self.num_clicks = 0
        self.num_likes = 0
        self.num_purchases = 0
        self.revenue = 0.0
        self.reward_at_step = np.zeros(0)
        self.decisions_at_step = np.zeros(0, dtype=np.int64)

    def update(self, batch: Impressions) -> None:
        """Add one batch of decisions; rows may come in any order and from any number of users."""
        self.num_users += int(np.count_nonzero(batch.terminated | batch.truncated))
        self.num_decisions += len(batch.step)
        self.num_clicks += int(np.count_nonzero(batch.events & Event.CLICK))
        self.num_likes += int(np.count_nonzero(batch.events & Event.LIKE))
        self.num_purchases += int(np.count_nonzero(batch.events & Event.PURCHASE))
        self.revenue += float(batch.revenue.sum())
        if len(batch.step):
            self._grow(int(batch.step.max()) + 1)
            np.add.at(self.reward_at_step, batch.step, batch.reward)
            np.add.at(self.decisions_at_step, batch.step, 1)

    def merge(self, other: EngagementTally) -> Self:
        """Add the sums of a tally over other users; returns itself."""
        self.num_users += other.num_users
        self.num_decisions += other.num_decisions
        self.num_clicks += other.num_clicks
        self.num_likes += other.num_likes
        self.num_purchases += other.num_purchases
        self.revenue += other.revenue
        self._grow(len(other.reward_at_step))
        self.reward_at_step[: len(other.reward_at_step)] += other.reward_at_step
        self.decisions_at_step[: len(other.decisions_at_step)] += other.decisions_at_step
        return self

    def _grow(self, num_steps: int) -> None:
        missing = num_steps - len(self.reward_at_step)
        if missing > 0:
            self.reward_at_step = np.pad(self.reward_at_step, (0, missing))
            self.decisions_at_step = np.pad(self.decisions_at_step, (0, missing))

    def result(self) -> dict[str, float]:
        """Means per user.

        `reward_per_user` (the return of an episode), `session_length` (decisions), `clicks_per_user`,
        `likes_per_user`, `purchases_per_user` (counts), `revenue_per_user` (units of price).

        Source: the undiscounted episodic return of Sutton and Barto (2018), eq. 3.7. The rest are means.

        Raises:
            ValueError: when no episode has ended.
        """
        users = self._check_users()
        return {
            "reward_per_user": float(self.reward_at_step.sum()) / users,
            "session_length": self.num_decisions / users,
            "clicks_per_user": self.num_clicks / users,
            "likes_per_user": self.num_likes / users,
            "purchases_per_user": self.num_purchases / users,
            "revenue_per_user": self.revenue / users,
        }

    def cumulative_reward(self) -> np.ndarray:
        """[T] float64: the mean over all users of the reward earned up to and including step t.

        Users who left earn nothing more, so the last value is `reward_per_user`.

        Source: Ours, the running sum of the undiscounted return.
        """
        users = self._check_users()
        return np.cumsum(self.reward_at_step) / users

    def survival(self) -> np.ndarray:
        """[T] float64 in [0, 1]: the share of users who still take a decision at step t; 1 at step 0.

        Source: the empirical survival function, which is that of Kaplan and Meier (1958) as long as nobody is
        censored before step t.
        """
        users = self._check_users()
        return self.decisions_at_step / users

    def _check_users(self) -> int:
        if self.num_users == 0:
            raise ValueError("no episode has ended: a mean per user needs a terminated or truncated row")
        return self.num_users
