"""Who benefits: reward and long-tail exposure by user segment, exposure by topic of the items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from recsim_env.metrics.exploration import total_of
from recsim_env.metrics.running import as_slates, weights_of

if TYPE_CHECKING:
    from recsim_env.rollout import Impressions


def parity(values: NDArray) -> float:
    """The least of some groups' values over the greatest: 1 where all groups fare alike.

    Args:
        values: [G] float, >= 0, at least one above 0; NaN for groups of nobody, which do not count.

    Source: the ratio of the four-fifths rule, Feldman et al. (2015), over any number of groups.
    """
    known = values[~np.isnan(values)]
    if not len(known) or known.min() < 0 or known.max() <= 0:
        raise ValueError(f"values: expected numbers >= 0, at least one above 0, got {values!r}")
    return float(known.min() / known.max())


def disparity(exposure: NDArray, merit: NDArray, group: NDArray[np.int64]) -> float:
    """How far groups' shares of exposure are from their shares of merit, in [0, 1].

    1/2 sum_g | sum_{i in g} x_i / sum_i x_i - sum_{i in g} w_i / sum_i w_i |

    the share of exposure that would have to move to another group for each to get what it merits. With the
    same merit for all items it asks for equal exposure per item.

    Args:
        exposure, merit: [N] float or int, >= 0, not all 0.
        group: [N] int64 >= 0.

    Source: the disparate treatment of Singh and Joachims (2018), eq. 7, as the total variation distance, so
    that it is defined for any number of groups and for groups without merit.

    Raises:
        ValueError: nothing was shown, or nothing has merit.
    """
    shares = [
        np.bincount(group, amounts) / total_of(name, amounts)
        for name, amounts in (("exposure", exposure), ("merit", merit))
    ]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


class SegmentTally:
    """Sums by user segment.

    Args:
        tail: [N] bool, from `tail_items`.
        num_segments: S.
        position_weight: [K] floats or None, what an impression counts, as in `ItemTally`.

    Attributes:
        users, decisions: [S] int64; exposure, tail_exposure, reward: [S] float64.
    """

    def __init__(
        self,
        tail: NDArray[np.bool_],
        num_segments: int,
        position_weight: NDArray[np.floating] | None = None,
    ) -> None:
        self.tail = tail
        self.position_weight = position_weight
        self.users, self.decisions = np.zeros((2, num_segments), np.int64)
        self.exposure, self.tail_exposure, self.reward = np.zeros((3, num_segments))

    def update(self, batch: Impressions) -> None:
        """Add one batch of decisions; rows may come in any order."""
        action = as_slates(batch.action)
        segment = np.asarray(batch.observation["segment"])
        np.add.at(self.users, segment[batch.terminated | batch.truncated], 1)
        np.add.at(self.decisions, segment, 1)
        weight = weights_of(self.position_weight, action.shape[1])
        np.add.at(self.exposure, segment, weight.sum())
        np.add.at(self.tail_exposure, segment, self.tail[action] @ weight)
        np.add.at(self.reward, segment, batch.reward)

    def merge(self, other: SegmentTally) -> Self:
        """Add the sums of another tally; returns itself."""
        for name in ("users", "decisions", "exposure", "tail_exposure", "reward"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def by_segment(self) -> dict[str, NDArray[np.float64]]:
        """`reward_per_user`, `session_length`, `tail_share`, each [S]; NaN for segments of nobody."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "reward_per_user": np.where(self.users, self.reward / self.users, np.nan),
                "session_length": np.where(self.users, self.decisions / self.users, np.nan),
                "tail_share": np.where(self.users, self.tail_exposure / self.exposure, np.nan),
            }

    def result(self) -> dict[str, float]:
        """`worst_segment_reward`, `segment_reward_parity`, `segment_tail_gap`.

        The reward per user of the segment that has least; that over the reward of the segment that has most
        (left out where it is negative or nobody earns anything); and the largest minus the smallest tail
        share of a segment.

        Source: the least advantaged group of Rawls (1971); `parity`; ours: the gap.
        """
        groups = self.by_segment()
        reward, tail = groups["reward_per_user"], groups["tail_share"]
        if np.isnan(reward).all():
            raise ValueError("update: expected a terminated or truncated row before result, got none")
        figures = {
            "worst_segment_reward": float(np.nanmin(reward)),
            "segment_tail_gap": float(np.nanmax(tail) - np.nanmin(tail)),
        }
        if np.nanmin(reward) >= 0 and np.nanmax(reward) > 0:
            figures["segment_reward_parity"] = parity(reward)
        return figures
