"""Popularity against the user's own taste: are users shown more popular items than they chose themselves?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from recsim_env.metrics.open_users import OpenUsers
from recsim_env.metrics.running import as_slates, weights_of

if TYPE_CHECKING:
    from recsim_env.rollout import Impressions


class TasteTally:
    """Mean popularity of what users came with and of what they were shown, by segment.

    Users who come without a history have no taste on record and are left out.

    Args:
        base_popularity: [N] float64, the catalog's public base popularity.
        num_segments: S.
        position_weight: [K] floats or None, what an impression counts in the mean of what a user was shown,
            as in `ItemTally`.

    Attributes:
        users: [S] int64, users with a history whose episode has ended.
        chosen, shown: [S] float64, sums over those users of the mean popularity of their history and of what
            they were shown.
    """

    def __init__(
        self,
        base_popularity: NDArray[np.float64],
        num_segments: int,
        position_weight: NDArray[np.floating] | None = None,
    ) -> None:
        self.position_weight = position_weight
        self.popularity = np.append(base_popularity, 0.0)  # the padding of histories
        self.users = np.zeros(num_segments, np.int64)
        self.chosen, self.shown = np.zeros((2, num_segments))
        self.open = OpenUsers(dict.fromkeys(("chosen", "sum", "count"), ((), np.float64)))

    def update(self, batch: Impressions) -> None:
        """Add one batch of decisions, each user's in the order of time, one row per user."""
        action = as_slates(batch.action)
        if not action.size:
            return
        rows, fresh = self.open.rows(batch.user_id, batch.step)
        columns = self.open.columns
        history = batch.observation["history_items"][fresh]
        known = np.count_nonzero(history < len(self.popularity) - 1, axis=1)
        with np.errstate(invalid="ignore"):
            columns["chosen"][rows[fresh]] = self.popularity[history].sum(axis=1) / known
        weight = weights_of(self.position_weight, action.shape[1])
        columns["sum"][rows] += self.popularity[action] @ weight
        columns["count"][rows] += weight.sum()
        over = batch.terminated | batch.truncated
        ended = rows[over]
        chosen, shown = columns["chosen"][ended], columns["sum"][ended] / columns["count"][ended]
        warm = ~np.isnan(chosen)
        segment = np.asarray(batch.observation["segment"])[over][warm]
        np.add.at(self.users, segment, 1)
        np.add.at(self.chosen, segment, chosen[warm])
        np.add.at(self.shown, segment, shown[warm])
        self.open.close(batch.user_id[over])

    def merge(self, other: TasteTally) -> Self:
        """Add the tally of other users; returns itself."""
        self.users += other.users
        self.chosen += other.chosen
        self.shown += other.shown
        self.open.merge(other.open)
        return self

    def result(self) -> dict[str, float]:
        """`popularity_lift`: 0 where users see what is as popular as what they came with, 1 at twice that.

        (GAP_shown - GAP_chosen) / GAP_chosen with GAP the mean over users of the mean popularity of a user's
        items; left out where nobody came with a history.

        Source: Abdollahpouri et al. (2020), The connection between popularity bias, calibration, and fairness
        in recommendation, popularity lift; group average popularity from Abdollahpouri et al. (2019).
        """
        if not self.users.any():
            return {}
        return {"popularity_lift": _lift(self.chosen.sum(), self.shown.sum())}

    def by_segment(self) -> NDArray[np.float64]:
        """[S] float64: the popularity lift within each segment; NaN where nobody came with a history."""
        return np.array([_lift(chosen, shown) for chosen, shown in zip(self.chosen, self.shown, strict=True)])


def _lift(chosen: float, shown: float) -> float:
    return float(shown / chosen - 1) if chosen > 0 else float("nan")
