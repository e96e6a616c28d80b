"""Regret: what the best choice in the same state was expected to earn, minus what the choice was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from recsim_env.metrics.engagement import EngagementTally
from recsim_env.metrics.running import added, grown

if TYPE_CHECKING:
    from recsim_env.rollout import Impressions


class RegretTally:
    """Regret of every decision to the myopic oracle in the very state the policy had led its user to.

    Needs batches of `rollout(..., with_oracle=True)`. It is dynamic: the comparator is the best of each
    state, which changes with the user and with the world. It says nothing of states that other choices would
    have led to: a policy that looks ahead pays regret now to be better off later, and `lost_return` counts
    that in. Under the cascade model the oracle is a heuristic, so that single regrets can be negative.

    Attributes:
        regret_at_step, best_at_step: [T] float64, sums over users by session step; decisions_at_step: [T]
        int64. regret_at_hour: [H] float64, decisions_at_hour: [H] int64, by hour of the run, where there is
        one.
    """

    def __init__(self) -> None:
        self.num_users = 0
        self.regret_at_step, self.best_at_step, self.regret_at_hour = np.zeros((3, 0))
        self.decisions_at_step, self.decisions_at_hour = np.zeros((2, 0), np.int64)

    def update(self, batch: Impressions) -> None:
        """Add one batch of decisions; rows may come in any order.

        Raises:
            ValueError: the batch does not hold the truth.
        """
        regret = batch.best_reward - batch.expected_reward
        if np.isnan(regret).any():
            raise ValueError("best_reward: expected numbers, got NaN; roll out with with_oracle=True")
        self.num_users += int(np.count_nonzero(batch.terminated | batch.truncated))
        if not len(batch.step):
            return
        steps = int(batch.step.max()) + 1
        self.regret_at_step, self.best_at_step = (
            grown(self.regret_at_step, steps),
            grown(self.best_at_step, steps),
        )
        self.decisions_at_step = grown(self.decisions_at_step, steps)
        np.add.at(self.regret_at_step, batch.step, regret)
        np.add.at(self.best_at_step, batch.step, batch.best_reward)
        np.add.at(self.decisions_at_step, batch.step, 1)
        if "hour" in batch.observation:
            hour = np.asarray(batch.observation["hour"]).reshape(-1)
            self.regret_at_hour = grown(self.regret_at_hour, int(hour.max()) + 1)
            self.decisions_at_hour = grown(self.decisions_at_hour, int(hour.max()) + 1)
            np.add.at(self.regret_at_hour, hour, regret)
            np.add.at(self.decisions_at_hour, hour, 1)

    def merge(self, other: RegretTally) -> Self:
        """Add the sums of another tally; returns itself."""
        self.num_users += other.num_users
        names = ("regret_at_step", "best_at_step", "decisions_at_step", "regret_at_hour", "decisions_at_hour")
        for name in names:
            setattr(self, name, added(getattr(self, name), getattr(other, name)))
        return self

    def result(self) -> dict[str, float]:
        """`regret_per_user`, `regret_per_step` in units of reward; `regret_share` of what the oracle expects.

        Cumulative over an episode, mean over users; mean over decisions; and the sum of regret over the sum
        of the best, in [0, 1] where rewards are not negative, and left out where nothing can be earned.

        Source: the dynamic regret of Besbes, Gur and Zeevi (2015), eq. 3, with expected rewards
        (pseudo-regret, Bubeck and Cesa-Bianchi 2012, sec. 1) and contexts.
        """
        if not self.num_users:
            raise ValueError("update: expected a terminated or truncated row before result, got none")
        regret, best = float(self.regret_at_step.sum()), float(self.best_at_step.sum())
        figures = {
            "regret_per_user": regret / self.num_users,
            "regret_per_step": regret / int(self.decisions_at_step.sum()),
        }
        return figures | {"regret_share": regret / best} if best > 0 else figures

    def curves(self) -> dict[str, NDArray[np.float64]]:
        """`cumulative_regret` [T], per user up to step t; means `regret_by_step` [T], `regret_by_hour` [H].

        The means are over the decisions taken there, NaN where there were none.
        """
        with np.errstate(invalid="ignore"):
            return {
                "cumulative_regret": np.cumsum(self.regret_at_step) / max(self.num_users, 1),
                "regret_by_step": self.regret_at_step / self.decisions_at_step,
                "regret_by_hour": self.regret_at_hour / self.decisions_at_hour,
            }


def lost_return(oracle: EngagementTally, policy: EngagementTally) -> NDArray[np.float64]:
    """[T] float64: cumulative regret in return, the oracle's cumulative reward per user minus the policy's.

    Both served the same users with the same luck, so that what luck adds to both cancels. Unlike
    `RegretTally` it counts the users whom the policy lost, and it is negative for a policy that beats the
    oracle.

    Source: the regret of Auer, Jaksch and Ortner (2009) for policies, with common random numbers.
    """
    if oracle.num_users != policy.num_users:
        raise ValueError(f"policy: expected {oracle.num_users} users as the oracle, got {policy.num_users}")
    first, second = oracle.cumulative_reward(), policy.cumulative_reward()
    length = max(len(first), len(second))
    return np.pad(first, (0, length - len(first)), mode="edge") - np.pad(
        second, (0, length - len(second)), mode="edge"
    )
