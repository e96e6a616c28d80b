"""What users did: reward, session length, clicks, likes, purchases, revenue, returns; reward over steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from recsim_env.metrics.running import added, grown
from recsim_env.records import Event

if TYPE_CHECKING:
    from recsim_env.rollout import Impressions


class EngagementTally:
    """Running sums of what users did, in memory that depends on the longest session only.

    A user counts once, when the episode ends (terminated or truncated): feed whole episodes, as `rollout`
    yields them. Means are over users, so a policy that keeps users longer is credited for it.
    """

    def __init__(self) -> None:
        self.num_users = self.num_churned = 0
        self.num_visits_ended = self.num_returns = 0
        self.users_return = False
        self.num_decisions = 0
        self.num_clicks = 0
        self.num_likes = 0
        self.num_purchases = 0
        self.revenue = 0.0
        self.reward_at_step = np.zeros(0)
        self.decisions_at_step = np.zeros(0, dtype=np.int64)

    def update(self, batch: Impressions) -> None:
        """Add one batch of decisions; rows may come in any order and from any number of users."""
        over = batch.terminated | batch.truncated
        self.num_users += int(np.count_nonzero(over))
        self.num_churned += int(np.count_nonzero(batch.terminated))
        self.num_visits_ended += int(np.count_nonzero(batch.visit_ended))
        self.num_returns += int(np.count_nonzero(batch.visit_ended & ~over))
        self.users_return |= "hours_away" in batch.observation
        self.num_decisions += len(batch.step)
        self.num_clicks += int(np.count_nonzero(batch.events & Event.CLICK))
        self.num_likes += int(np.count_nonzero(batch.events & Event.LIKE))
        self.num_purchases += int(np.count_nonzero(batch.events & Event.PURCHASE))
        self.revenue += float(batch.revenue.sum())
        if len(batch.step):
            steps = int(batch.step.max()) + 1
            self.reward_at_step = grown(self.reward_at_step, steps)
            self.decisions_at_step = grown(self.decisions_at_step, steps)
            np.add.at(self.reward_at_step, batch.step, batch.reward)
            np.add.at(self.decisions_at_step, batch.step, 1)

    def merge(self, other: EngagementTally) -> Self:
        """Add the sums of a tally over other users; returns itself."""
        self.num_users += other.num_users
        self.num_churned += other.num_churned
        self.num_visits_ended += other.num_visits_ended
        self.num_returns += other.num_returns
        self.users_return |= other.users_return
        self.num_decisions += other.num_decisions
        self.num_clicks += other.num_clicks
        self.num_likes += other.num_likes
        self.num_purchases += other.num_purchases
        self.revenue += other.revenue
        self.reward_at_step = added(self.reward_at_step, other.reward_at_step)
        self.decisions_at_step = added(self.decisions_at_step, other.decisions_at_step)
        return self

    def result(self) -> dict[str, float]:
        """Means per user, and the mean reward of a decision.

        `reward_per_user` (the return of an episode), `session_length` (decisions), `clicks_per_user`,
        `likes_per_user`, `purchases_per_user` (counts), `revenue_per_user` (units of price);
        `reward_per_step`. Where users return, also `return_rate`: ended visits that another one followed
        within the episode / ended visits; `churn_rate`: users who left for good / users; `visits_per_user`.

        Source: the undiscounted episodic return of Sutton and Barto (2018), eq. 3.7. The rest are means and
        shares; churn and return as in KuaiSim's retention (Zhao et al. 2023).

        Raises:
            ValueError: when no episode has ended.
        """
        users = self._check_users()
        reward = float(self.reward_at_step.sum())
        figures = {
            "reward_per_user": reward / users,
            "session_length": self.num_decisions / users,
            "clicks_per_user": self.num_clicks / users,
            "likes_per_user": self.num_likes / users,
            "purchases_per_user": self.num_purchases / users,
            "revenue_per_user": self.revenue / users,
            "reward_per_step": reward / self.num_decisions,
        }
        if self.users_return:
            visits = max(self.num_visits_ended, 1)
            figures["return_rate"] = self.num_returns / visits
            figures["churn_rate"] = self.num_churned / users
            figures["visits_per_user"] = 1 + self.num_returns / users
        return figures

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
            raise ValueError("update: expected a terminated or truncated row before result, got none")
        return self.num_users
