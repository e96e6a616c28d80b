"""Whole sessions as a log holds them, what a model predicts for their steps, and their cumulative weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim_env.ope.checks import number, offending
from recsim_env.ope.decisions import Predictions, checked_columns, ratio_of, support_of
from recsim_env.ope.estimate import Support, mean_weight_warnings
from recsim_env.ope.intervals import Ratio, Terms
from recsim_env.ope.units import Units


@dataclass(frozen=True, eq=False)
class LoggedSessions:
    """Sessions of a logging policy, and how probable the same actions are under a target policy.

    What is estimated is the target policy's mean return of a session, sum_t discount^t r_t, up to its end,
    whether the user left or a horizon cut it. Rows of a session follow one another in the order of time;
    sessions differ in length.

    Attributes:
        session: [n] ids of the session of each row; a lifetime of several visits is one session here.
        reward: [n] float64.
        logging_propensity: [n] float64 in (0, 1], probability of the logged action under the logging policy.
        target_propensity: [n] float64 in [0, 1], of the same action under the target policy.
        discount: in [0, 1].
        unit: [n] ids of users, whose sessions depend on one another; None when sessions are independent.
        unsupported: [n] float64 in [0, 1] or None, as in `LoggedDecisions`.

    Raises:
        ValueError: an array of another length, a value out of its range, no row at all, or a session whose
            rows are apart or belong to several units.
    """

    session: ArrayLike
    reward: NDArray[np.float64]
    logging_propensity: NDArray[np.float64]
    target_propensity: NDArray[np.float64]
    discount: float = 1.0
    unit: ArrayLike | None = None
    unsupported: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        for name, column in checked_columns(self).items():
            object.__setattr__(self, name, column)
        object.__setattr__(self, "discount", number("discount", self.discount, 0, 1))
        session = np.asarray(self.session)
        if session.shape != (len(self),):
            raise ValueError(f"session: expected shape [{len(self)}], got {list(session.shape)}")
        object.__setattr__(self, "session", session)
        ids = session[self.starts]
        first = np.unique(ids, return_index=True)[1]
        if len(first) < len(ids):
            again = int(self.starts[np.setdiff1d(np.arange(len(ids)), first)[0]])
            raise ValueError(
                f"session[{again}]: expected the rows of a session to follow one another, got id "
                f"{session[again]} once more"
            )
        _ = self.units

    def __len__(self) -> int:
        return len(self.reward)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """[G] int64: the first row of each session."""
        session = np.asarray(self.session)
        return np.concatenate([[0], np.flatnonzero(session[1:] != session[:-1]) + 1]).astype(np.int64)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """[G] int64: rows of each session."""
        return np.diff(np.append(self.starts, len(self)))

    @cached_property
    def units(self) -> Units:
        """The independent units: sessions, or users with all their sessions."""
        row = Units.of(self.unit, len(self)).code
        if self.unit is None or row is None:
            return Units(self.num_sessions, self.num_sessions)
        code = row[self.starts]
        offending("unit", row != np.repeat(code, self.lengths), np.asarray(self.unit), "one unit a session")
        return Units.of(code, self.num_sessions)

    def terms(self, *ratios: Ratio, linearised: bool = False) -> Terms:
        """The terms of an estimate per unit, from ratios per session, each [G]."""
        return Terms(tuple(self.units.ratio(*ratio) for ratio in ratios), linearised)

    @property
    def num_sessions(self) -> int:
        """G."""
        return len(self.starts)

    @cached_property
    def step(self) -> NDArray[np.int64]:
        """[n] int64: position of each row in its session, from 0."""
        return np.arange(len(self)) - np.repeat(self.starts, self.lengths)

    @cached_property
    def discounts(self) -> NDArray[np.float64]:
        """[n] float64: discount^t."""
        return np.power(self.discount, self.step, dtype=np.float64)

    @cached_property
    def step_weight(self) -> NDArray[np.float64]:
        """[n] float64 >= 0: importance weight of each decision by itself."""
        return ratio_of(self.target_propensity, self.logging_propensity)

    def steps(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """For each step t: the sessions that reach it, and their rows."""
        order = np.argsort(-self.lengths, kind="stable")
        # How many sessions are longer than t, for each t.
        longer = len(order) - np.cumsum(np.bincount(self.lengths))
        for t, count in enumerate(longer[:-1]):
            sessions = order[:count]
            yield sessions, self.starts[sessions] + t

    @cached_property
    def cumulative_weight(self) -> NDArray[np.float64]:
        """[n] float64: the product of the step weights of the session up to and including this row.

        Raises:
            ValueError: a product beyond the range of float64.
        """
        weight = self.step_weight.copy()
        with np.errstate(over="ignore", invalid="ignore"):
            for t, (_, rows) in enumerate(self.steps()):
                if t:
                    weight[rows] *= weight[rows - 1]
        wrong = ~np.isfinite(weight)
        offending(
            "cumulative_weight", wrong, weight, "a finite product of weights (shorter sessions, or fqe)"
        )
        return weight

    @cached_property
    def previous_weight(self) -> NDArray[np.float64]:
        """[n] float64: the cumulative weight before this row's decision; 1 at the start of a session."""
        weight = np.empty(len(self))
        weight[1:] = self.cumulative_weight[:-1]
        weight[self.starts] = 1.0
        return weight

    @cached_property
    def session_weight(self) -> NDArray[np.float64]:
        """[G] float64: the cumulative weight of the whole session."""
        return self.cumulative_weight[self.starts + self.lengths - 1]

    @cached_property
    def last(self) -> NDArray[np.bool_]:
        """[n] bool: whether a row is the last of its session."""
        last = np.zeros(len(self), dtype=bool)
        last[self.starts + self.lengths - 1] = True
        return last

    def following(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[n, ...] float64: the values of the next row of the session, 0 after its last."""
        after = np.zeros_like(values)
        after[:-1] = values[1:]
        after[self.last] = 0.0
        return after

    def total(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[G] float64: the sum of values [n] over each session."""
        return np.add.reduceat(values, self.starts)

    @cached_property
    def support(self) -> Support:
        """What these rows tell about the target policy's support, in situations that were logged."""
        return support_of(self.logging_propensity, self.target_propensity, self.unsupported)

    @cached_property
    def step_weight_remarks(self) -> list[str]:
        """What the mean weight of single decisions gives away, in plain language."""
        rows = self.lengths.astype(np.float64)
        return mean_weight_warnings(self.terms((self.total(self.step_weight), rows)))

    @cached_property
    def weight_remarks(self) -> list[str]:
        """The same for decisions and, if there is nothing to say about these, for whole sessions."""
        return self.step_weight_remarks or mean_weight_warnings(
            self.terms((self.session_weight, None)), "importance weights of whole sessions"
        )


class PredictedValues(Predictions):
    """What a model predicts for the n decisions of sessions: the target policy's return from there on.

    Discounted back to that decision and up to the session's end, q(s_t, a_t) of the logged action and v(s_t)
    of the target policy; `fit_q` makes them.
    """
