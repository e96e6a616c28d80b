"""What must be remembered of a user while the episode goes on; memory follows how many go on at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
from numpy.typing import DTypeLike, NDArray


class OpenUsers:
    """One row of each column for every user whose episode has begun and not ended, by user id.

    Args:
        columns: name -> (shape of one row, dtype); a new user's row is zero.

    Attributes:
        ids: [n] int64, ascending.
        columns: name -> [n, ...]; row i belongs to ids[i].
    """

    def __init__(self, columns: Mapping[str, tuple[tuple[int, ...], DTypeLike]]) -> None:
        self.ids = np.zeros(0, np.int64)
        self.columns: dict[str, NDArray] = {
            name: np.zeros((0, *shape), dtype) for name, (shape, dtype) in columns.items()
        }

    def rows(
        self, user_id: NDArray[np.int64], step: NDArray[np.integer]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where the rows of some users are, made for those who have none.

        Args:
            user_id: [b] int64 >= 0, every user once.
            step: [b] int >= 0, counted from the beginning of the visit.

        Returns:
            (rows [b] int64, valid until users come or go; [b] bool, who was new).

        Raises:
            ValueError: a user comes twice, or comes first in the middle of a visit, whose beginning another
                shard must have.
        """
        ordered = np.sort(user_id)
        if (ordered[1:] == ordered[:-1]).any():
            values, counts = np.unique(user_id, return_counts=True)
            raise ValueError(
                f"user_id: expected one row per user in a batch, got several of {values[counts > 1][0]}"
            )
        place = np.searchsorted(self.ids, user_id)
        fresh = np.append(self.ids, -1)[place] != user_id
        if fresh.any():
            late = np.flatnonzero(fresh & (step > 0))
            if len(late):
                raise ValueError(
                    f"user_id: expected visits from their first step on, got user {user_id[late[0]]} "
                    f"first at step {step[late[0]]}; split logs by user, not by time"
                )
            coming = np.sort(user_id[fresh])
            where = np.searchsorted(self.ids, coming)
            self.ids = np.insert(self.ids, where, coming)
            for name, column in self.columns.items():
                self.columns[name] = np.insert(column, where, np.zeros((), column.dtype), axis=0)
            place = np.searchsorted(self.ids, user_id)
        return place, fresh

    def close(self, user_id: NDArray[np.int64]) -> None:
        """Forget users whose episode is over; all of them have rows."""
        if len(user_id):
            kept = np.ones(len(self.ids), np.bool_)
            kept[np.searchsorted(self.ids, user_id)] = False
            self.ids = self.ids[kept]
            self.columns = {name: column[kept] for name, column in self.columns.items()}

    def merge(self, other: OpenUsers) -> Self:
        """Take over the users of another shard; returns itself.

        Raises:
            ValueError: a user is in both: the rows of one episode belong into one shard.
        """
        both = np.intersect1d(self.ids, other.ids)
        if len(both):
            raise ValueError(
                f"user {both[0]} is in the middle of an episode in both shards; split logs by user"
            )
        where = np.searchsorted(self.ids, other.ids)
        self.ids = np.insert(self.ids, where, other.ids)
        for name, column in self.columns.items():
            self.columns[name] = np.insert(column, where, other.columns[name], axis=0)
        return self
