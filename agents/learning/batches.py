"""An event log as tensors, converted once; minibatches are gathers of its rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from agents.seeding import torch_generator
from agents.spec import ObservationSpec

if TYPE_CHECKING:
    from recsim_env.event_log import EventLog

SHUFFLING_SEED = 0
"""Of the order of shuffled rewards: part of the control, not of the training's luck."""
CLICK = 1
"""Bit of a click in an event mask."""


def check_n_steps(n_steps: int) -> None:
    """Raises ValueError unless it is a whole number of at least 1."""
    if not isinstance(n_steps, int) or n_steps < 1:
        raise ValueError(f"n_steps: expected a whole number of at least 1, got {n_steps!r}")


class NStepReturn(NamedTuple):
    """What followed b rows of a log, up to where values take over.

    Attributes:
        reward: [b] float32, discounted rewards of the decisions between each row and the one it looks to.
        last_row: [b] int64, the decision behind which values take over.
        discount: [b] float32, of what follows that decision; 0 where nothing does.
    """

    reward: Tensor
    last_row: Tensor
    discount: Tensor


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

    @classmethod
    def from_logs(cls, logs: Iterable[EventLog], spec: ObservationSpec, folder: Path) -> LogTensors:
        """The parts of a log that may be larger than memory, one after the other, as files.

        Only one part is in memory at a time; the tensors are mapped files, of which a minibatch reads its
        rows. They equal those of `from_log` on the whole log where no session goes on into the next part.

        Args:
            logs: the parts, in order; empty ones are left out.
            spec: as for `from_log`.
            folder: for the files, which must outlive the tensors.

        Raises:
            ValueError: as `from_log`; or every part is empty.
        """
        first: dict[str, Tensor] = {}
        for log in logs:
            if len(log) == 0:
                continue
            columns = _columns(cls.from_log(log, spec))
            for name, column in columns.items():
                with open(folder / name, "ab") as file:
                    column.numpy().tofile(file)
            first = first or {name: column[:1] for name, column in columns.items()}
        if not first:
            raise ValueError("log: expected at least one decision, got none")
        mapped = {}
        for name, row in first.items():
            flat = np.memmap(folder / name, dtype=row.numpy().dtype, mode="c")
            mapped[name] = torch.from_numpy(flat.reshape(-1, *row.shape[1:]))
        return _from_columns(mapped)

    def shown_next(self, rows: Tensor) -> Tensor:
        """[b, K] int64, the slates of the rows behind; of no meaning where a row is its session's last."""
        return self.item[(rows + 1).clamp(max=len(self) - 1)]

    def n_step_return(
        self,
        rows: Tensor,
        gamma: float,
        n_steps: int,
        ends_with_log: bool,
    ) -> NStepReturn:
        """What followed each row in its session, up to its n-th decision, itself counted.

        n-step return of row t:  r_t + reward + discount * value after `last_row`,
            reward = sum_{0 < k < m} gamma^k r_{t+k},  last_row = t + m - 1,  discount = gamma^m,
            m = n_steps, or what the session has left

        Args:
            rows: [b] int64.
            gamma: discount.
            n_steps: n, at least 1.
            ends_with_log: whether a session's last row is its end, though the user had not left.

        Source: Sutton and Barto (2018), eq. 7.1 and 7.4.
        """
        row, reward = rows, self.reward.new_zeros(len(rows))
        discount = torch.full_like(reward, gamma)
        for _ in range(n_steps - 1):
            goes_on = ~self.last[row]
            row = row + goes_on.long()
            reward = reward + goes_on * discount * self.reward[row]
            discount = torch.where(goes_on, gamma * discount, discount)
        discount = discount * self.continues[row]
        return NStepReturn(reward, row, discount * ~self.last[row] if ends_with_log else discount)

    def with_shuffled_reward(self) -> LogTensors:
        """The same decisions with their rewards exchanged among all rows: nothing to learn for values."""
        order = torch.randperm(len(self), generator=torch_generator(SHUFFLING_SEED))
        return replace(self, reward=self.reward[order], slot_reward=self.slot_reward[order])

    def to(self, device: torch.device) -> LogTensors:
        """The same columns on a device."""
        return _from_columns({name: column.to(device) for name, column in _columns(self).items()})

    def digest(self) -> str:
        """A short hash of what was shown and earned: two logs are the same to a training when it is equal."""
        total = hashlib.sha256()
        for column in (self.item, self.reward, self.log_propensity):
            for part in column.split(2**20):
                total.update(part.cpu().numpy().tobytes())
        return total.hexdigest()[:16]


def _columns(data: LogTensors) -> dict[str, Tensor]:
    """Every column by name, those of observations as `observation.<key>` and `next_observation.<key>`."""
    columns: dict[str, Tensor] = {}
    for spec in fields(data):
        value = getattr(data, spec.name)
        if isinstance(value, dict):
            columns |= {f"{spec.name}.{key}": column for key, column in value.items()}
        else:
            columns[spec.name] = value
    return columns


def _from_columns(columns: Mapping[str, Tensor]) -> LogTensors:
    """What `_columns` took apart."""
    parts: dict[str, Any] = {}
    for name, column in columns.items():
        field, _, key = name.partition(".")
        if key:
            parts.setdefault(field, {})[key] = column
        else:
            parts[field] = column
    return LogTensors(**parts)


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


class Minibatches(Iterator[Tensor]):
    """Row indices of minibatches: pass after pass over the log, freshly shuffled, short tails dropped.

    Yields [min(batch_size, num_rows)] int64, without end.

    Args:
        num_rows: decisions in the log.
        batch_size: rows of a minibatch, if there are so many.
        generator: source of the shuffles; others may draw from it in between.

    Attributes:
        step: minibatches given so far.
        pass_began: state of the generator from which the current pass was shuffled; with `step` and the
            generator's present state it is all that `go_to` needs.
    """

    def __init__(self, num_rows: int, batch_size: int, generator: torch.Generator) -> None:
        self.num_rows, self.size, self.generator = num_rows, min(batch_size, num_rows), generator
        self.step = 0
        self.pass_began = generator.get_state()

    def __next__(self) -> Tensor:
        place = self.step % (self.num_rows // self.size)
        if place == 0:
            self.pass_began = self.generator.get_state()
            self._order = torch.randperm(self.num_rows, generator=self.generator)
        self.step += 1
        return self._order[place * self.size : (place + 1) * self.size]

    def go_to(self, step: int, pass_began: Tensor) -> None:
        """Go on behind `step` minibatches, the last of them in a pass that was shuffled from this state.

        Leaves the generator's state alone.
        """
        shuffle = torch.Generator()
        shuffle.set_state(pass_began)
        self.step, self.pass_began = step, pass_began
        self._order = torch.randperm(self.num_rows, generator=shuffle)
