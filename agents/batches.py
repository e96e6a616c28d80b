"""An event log as tensors, converted once; minibatches are gathers of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from agents.spec import ObservationSpec

if TYPE_CHECKING:
    from recsim_env.event_log import EventLog

CLICK = 1
"""Bit of a click in an event mask."""


@dataclass(frozen=True)
class LogTensors:
    """The columns that learners read; n rows in the log's order (user, visit, step).

    Attributes:
        observation, next_observation: int32 tensors under the environment's keys.
        item: [n, K] int64, the slate.
        clicked: [n, K] bool.
        reward: [n] float32.
        slot_reward: [n, K] float32, the row's reward shared equally by its clicked slots; 0 elsewhere.
        continues: [n] float32, 0 where the user left (terminated), 1 elsewhere, truncation included.
        last: [n] bool, final row of its session.
        log_propensity: [n] float32, log-probability that the logging policy gave to the row's action (slate).
    """

    observation: dict[str, Tensor]
    next_observation: dict[str, Tensor]
    item: Tensor
    clicked: Tensor
    reward: Tensor
    slot_reward: Tensor
    continues: Tensor
    last: Tensor
    log_propensity: Tensor

    def __len__(self) -> int:
        return len(self.reward)

    @classmethod
    def from_log(cls, log: EventLog, spec: ObservationSpec) -> LogTensors:
        """Convert, and check that the log is one that can be learned from.

        Raises:
            ValueError: empty log, observations of another scenario, unknown item, or a propensity outside
                (0, 1].
        """
        rows = np.arange(len(log.reward))
        if len(rows) == 0:
            raise ValueError("log: expected at least one decision, got none")
        observation = log.observation(rows)
        spec.check(observation)
        _check_column(
            "action", log.action, (log.action >= 0) & (log.action < spec.num_items), f"[0, {spec.num_items})"
        )
        _check_column("propensity", log.propensity, (log.propensity > 0) & (log.propensity <= 1), "(0, 1]")
        clicked = (log.events & CLICK) > 0
        slot_reward = share_reward(log.reward, clicked)
        return cls(
            observation=_int32(observation),
            next_observation=_int32(log.next_observation(rows)),
            item=torch.from_numpy(log.action.astype(np.int64)),
            clicked=torch.from_numpy(clicked),
            reward=torch.from_numpy(log.reward.astype(np.float32)),
            slot_reward=torch.from_numpy(slot_reward.astype(np.float32)),
            continues=torch.from_numpy((~log.terminated).astype(np.float32)),
            last=torch.from_numpy(session_ends(log)),
            log_propensity=torch.from_numpy(np.log(log.propensity).astype(np.float32)),
        )


def share_reward(reward: np.ndarray, clicked: np.ndarray) -> np.ndarray:
    """[n, K] float64: each decision's reward [n] shared equally by its clicked slots [n, K]; 0 elsewhere."""
    num_clicks = clicked.sum(axis=1, keepdims=True)
    return np.where(clicked, reward[:, None] / np.maximum(num_clicks, 1), 0.0)


def session_ends(log: EventLog) -> np.ndarray:
    """[n] bool: the rows after which the user, or the visit, changes.

    A log that was cut in the middle of a session ends that session too.
    """
    ends = np.ones(len(log.user_id), dtype=bool)
    ends[:-1] = (log.user_id[1:] != log.user_id[:-1]) | (log.visit[1:] != log.visit[:-1])
    return ends


def _int32(observation: dict[str, np.ndarray]) -> dict[str, Tensor]:
    return {
        key: torch.from_numpy(np.ascontiguousarray(array, dtype=np.int32))
        for key, array in observation.items()
    }


def _check_column(name: str, column: np.ndarray, good: np.ndarray, expected: str) -> None:
    if not good.all():
        index = tuple(int(axis[0]) for axis in np.nonzero(~good))
        raise ValueError(f"log.{name}{list(index)}: expected in {expected}, got {column[index]}")


def gather(observation: dict[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    """Rows of an observation: [n, ...] -> [b, ...] under every key."""
    return {key: column[rows] for key, column in observation.items()}


def minibatches(
    num_rows: int, batch_size: int, num_updates: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Row indices of minibatches: pass after pass over the log, freshly shuffled, short tails dropped.

    Yields:
        [min(batch_size, num_rows)] int64.
    """
    size = min(batch_size, num_rows)
    per_pass = num_rows // size
    for update in range(num_updates):
        position = update % per_pass
        if position == 0:
            order = torch.randperm(num_rows, generator=generator)
        yield order[position * size : (position + 1) * size]
