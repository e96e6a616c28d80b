"""The episodes of a log, and a policy that shows the slates of a script to the users of that log."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from recsim_env.event_log import EventLog
from recsim_env.policy import Decision, Observation
from recsim_env.records import Records
from recsim_env.world import LIFETIME_VISITS, World


def episode_starts(world: World, log: EventLog) -> NDArray[np.int64]:
    """The first row of every episode; the rows of each visit must be its steps 0, 1, 2, ..."""
    visit_starts = np.append(True, (np.diff(log.user_id) != 0) | (np.diff(log.visit) != 0))
    first = np.flatnonzero(visit_starts)
    expected = np.arange(len(log)) - np.repeat(first, np.diff(np.append(first, len(log))))
    wrong = np.flatnonzero(log.step != expected)
    if len(wrong):
        row = wrong[0]
        raise ValueError(
            f"log: expected every step of a session; row {row} is step {log.step[row]} of user "
            f"{log.user_id[row]} and not step {expected[row]}"
        )
    if not world.has_returns:
        return first
    lives = log.visit // LIFETIME_VISITS
    return np.flatnonzero(np.append(True, (np.diff(log.user_id) != 0) | (np.diff(lives) != 0)))


def episode_keys(
    world: World, users: NDArray[np.int64], visits: NDArray[np.integer]
) -> list[tuple[int, int]]:
    """(user, episode) of each row: an episode is a visit, or all visits of a lifetime."""
    numbers = visits // LIFETIME_VISITS if world.has_returns else visits
    return list(zip(users.tolist(), numbers.tolist(), strict=True))


class ScriptedPolicy:
    """A policy that shows the given slates; behind the last of an episode, that one again."""

    name: ClassVar[str] = "script"
    needs_state: ClassVar[bool] = True

    def __init__(
        self, world: World, log: EventLog, episodes: NDArray[np.int64], slates: NDArray[np.int64]
    ) -> None:
        self.slates, self.episodes, self.world = slates, episodes, world
        self.last = np.append(episodes[1:], len(log)) - 1
        keys = episode_keys(world, log.user_id[episodes], log.visit[episodes])
        self.place = {key: place for place, key in enumerate(keys)}

    def act(self, observation: Observation, generator: np.random.Generator, state: Records) -> Decision:
        """The slate of each user's next decision; ``state``: [B] USER_STATE."""
        keys = episode_keys(self.world, state["user_id"], state["visit"])
        place = np.array([self.place[key] for key in keys])
        rows = np.minimum(self.episodes[place] + state["decisions"], self.last[place])
        return Decision(self._actions(rows, observation), np.ones(len(rows)))

    def _actions(self, rows: NDArray[np.int64], observation: Observation) -> NDArray[np.int64]:
        slates = self.slates[rows]
        if "candidates" not in observation:
            return slates
        same = slates[:, :, None] == observation["candidates"][:, None, :]
        missing = np.argwhere(~same.any(axis=2))
        if len(missing):
            row, position = missing[0]
            raise ValueError(
                f"policy_or_slates[{rows[row]}, {position}]: expected a candidate on offer at this step, "
                f"got item {slates[row, position]}"
            )
        return same.argmax(axis=2)
