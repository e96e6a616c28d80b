"""One deployment: users come, arms serve them, responses come back now or later, decisions are logged."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recsim_env.deployment.assignment import assign, control_slice
from recsim_env.deployment.controller import Controller, Decision
from recsim_env.deployment.decision_log import DecisionLog
from recsim_env.deployment.moments import moments_of


class Batch(NamedTuple):
    """Requests to serve.

    Attributes:
        number: of the batch, from 0.
        first_request: request i of this batch is number first_request + i of the deployment.
        user_id: [n] int64.
        arm: [n] int64, who serves; names: of the arms.
    """

    number: int
    first_request: int
    user_id: NDArray[np.int64]
    arm: NDArray[np.int64]
    names: tuple[str, ...]


class Feedback(NamedTuple):
    """Rewards that arrived: for requests of this batch or of earlier ones, in any order, repeats add up.

    Attributes:
        request: [m] int64, number of the request in the deployment; reward: [m] float64, finite.
    """

    request: NDArray[np.int64]
    reward: NDArray[np.float64]


Platform = Callable[[Batch], Feedback]
"""Whatever serves a batch: the simulator, a recorded table, a shop."""


class Served(NamedTuple):
    """The log of one batch of assignments.

    Attributes:
        user_id, arm: [n] int64.
        propensity: [n] float64, the probability that the user's arm was assigned, over the draw of the hash.
        in_slice: [n] bool, in the permanent control slice.
        decisions: what was decided after the batch.
    """

    user_id: NDArray[np.int64]
    arm: NDArray[np.int64]
    propensity: NDArray[np.float64]
    in_slice: NDArray[np.bool_]
    decisions: list[Decision]


class _Pending(NamedTuple):
    first: int
    arm: NDArray[np.int64]
    segment: NDArray[np.int64]
    counted: NDArray[np.bool_]
    response: NDArray[np.float64]


class Deployment:
    """Runs a controller of one run on users.

    Args:
        platform: called once per batch.
        controller: with its arms admitted; more may be admitted and retired between batches.
        seed: of the assignment.
        sticky: whether a user keeps the arm as far as shares allow; if not, every batch draws anew.
        window: a request's response is the sum of what arrives for it within so many later batches; what
            comes afterwards is dropped and counted in ``late``. 0: only what arrives at once.
        washout: a user's requests count only from the washout-th batch on after the user's first with the
            same arm: what came before is still under the influence of others (carry-over).
        once_per_user: count one request of each user and arm, the first that may count.
        log: path of the decision log, without suffix; None for none.

    Attributes:
        late: how many rewards arrived too late to be counted.
        clipped: how many responses lay outside [low, high] of the controller's settings: the tests of
            releases saw them clipped. The first ones are also reported as an alarm.
    """

    def __init__(
        self,
        platform: Platform,
        controller: Controller,
        seed: int,
        *,
        sticky: bool = True,
        window: int = 0,
        washout: int = 0,
        once_per_user: bool = False,
        log: str | Path | None = None,
    ) -> None:
        if controller.num_runs != 1:
            raise ValueError(f"controller: expected num_runs = 1, got {controller.num_runs}")
        if window < 0 or washout < 0:
            raise ValueError(f"window, washout: expected at least 0, got {window}, {washout}")
        self.platform, self.controller, self.seed = platform, controller, seed
        self.sticky, self.window, self.washout, self.once = sticky, window, washout, once_per_user
        self.log = None if log is None else DecisionLog(log)
        self.pending: deque[_Pending] = deque()
        self.since: dict[int, tuple[int, int]] = {}
        self.used: set[tuple[int, int]] = set()
        self.number = self.first_request = self.late = self.clipped = 0

    def serve(self, users: ArrayLike, segments: ArrayLike | None = None) -> Served:
        """Serve one batch, take in what arrived, and decide.

        Args:
            users: [n] integers; a user comes at most once a batch where the tests are to hold.
            segments: [n] integers in [0, controller.num_segments); all 0 by default.
        """
        users = _whole("users", users)
        segment = np.zeros(len(users), np.int64) if segments is None else _whole("segments", segments)
        if len(segment) != len(users):
            raise ValueError(f"segments: expected one for each of {len(users)} users, got {len(segment)}")
        wrong = np.flatnonzero((segment < 0) | (segment >= self.controller.num_segments))
        if len(wrong):
            raise ValueError(
                f"segments[{wrong[0]}]: expected in [0, {self.controller.num_segments}), "
                f"got {segment[wrong[0]]}"
            )
        shares = self.controller.shares()
        of_user = shares[0, segment]
        control_share = self.controller.settings.control_share
        epoch = 0 if self.sticky else self.number + 1
        arm = assign(self.seed, users, of_user, control_share, epoch)
        counted = self._counted(users, arm)
        self.pending.append(_Pending(self.first_request, arm, segment, counted, np.zeros(len(users))))
        names = tuple(self.controller.names)
        self._take_in(self.platform(Batch(self.number, self.first_request, users, arm, names)))
        self.number += 1
        self.first_request += len(users)
        decisions = self._mature(shares)
        if self.log is not None:
            self.log.write(decisions)
        propensity = of_user[np.arange(len(users)), arm]
        in_slice = control_slice(self.seed, users, control_share, epoch)
        return Served(users, arm, propensity, in_slice, decisions)

    def _counted(self, users: NDArray[np.int64], arm: NDArray[np.int64]) -> NDArray[np.bool_]:
        counted = np.ones(len(users), np.bool_)
        if not (self.washout or self.once):
            return counted
        for i, (user, own) in enumerate(zip(users.tolist(), arm.tolist(), strict=True)):
            before = self.since.get(user)
            if before is None or before[0] != own:
                before = self.since[user] = (own, self.number)
            counted[i] = self.number - before[1] >= self.washout
            if self.once and counted[i]:
                counted[i] = (user, own) not in self.used
                self.used.add((user, own))
        return counted

    def _take_in(self, feedback: Feedback) -> None:
        """Add rewards to the responses of the requests that they belong to."""
        request, reward = np.asarray(feedback.request), np.asarray(feedback.reward, np.float64)
        end = self.pending[-1].first + len(self.pending[-1].arm)
        wrong = np.flatnonzero(~np.isfinite(reward) | (request < 0) | (request >= end))
        if len(wrong):
            raise ValueError(
                f"platform: feedback[{wrong[0]}]: expected a finite reward of a request in [0, {end}), "
                f"got {reward[wrong[0]]} of request {request[wrong[0]]}"
            )
        self.late += int((request < self.pending[0].first).sum())
        for batch in self.pending:
            mine = (request >= batch.first) & (request < batch.first + len(batch.arm))
            np.add.at(batch.response, request[mine] - batch.first, reward[mine])

    def _mature(self, shares: NDArray[np.float64]) -> list[Decision]:
        """Hand complete responses to the controller: one batch, or none while the first ones are young."""
        controller = self.controller
        sizes = controller.num_segments, len(controller.names)
        done = [self.pending.popleft()] if len(self.pending) > self.window else []
        arm, segment, response = (
            np.concatenate([np.zeros(0, kind), *(getattr(one, name)[one.counted] for one in done)])
            for name, kind in (("arm", np.int64), ("segment", np.int64), ("response", np.float64))
        )
        settings = controller.settings
        clipped = np.clip(response, settings.low, settings.high)
        decisions = controller.update(
            moments_of(arm, segment, response, *sizes), shares, moments_of(arm, segment, clipped, *sizes)
        )
        outside = int((clipped != response).sum())
        if outside and not self.clipped:
            decisions.append(self._alarm(outside, response))
        self.clipped += outside
        return decisions

    def _alarm(self, outside: int, response: NDArray[np.float64]) -> Decision:
        """That tests of releases do not see responses as they are."""
        settings, controller = self.controller.settings, self.controller
        text = (
            f"{outside} of {len(response)} responses lie outside [{settings.low:g}, {settings.high:g}] and "
            "are clipped: set Settings.low and Settings.high to the range of responses."
        )
        evidence = {"outside": outside, "lowest": float(response.min()), "highest": float(response.max())}
        return Decision(0, controller.batches, int(controller.requests[0]), "alarm", None, text, evidence)


def _whole(name: str, values: ArrayLike) -> NDArray[np.int64]:
    """Integers as [n] int64, or a clear error."""
    array = np.asarray(values)
    if array.ndim != 1 or not (np.issubdtype(array.dtype, np.integer) or array.size == 0):
        raise ValueError(
            f"{name}: expected a 1-d array of integers, got shape {array.shape} of {array.dtype}"
        )
    return array.astype(np.int64)
