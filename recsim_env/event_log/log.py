"""The logged data: what a policy showed, with which propensity, and what the users did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from recsim_env.event_log.columns import (
    COLUMNS,
    KEYS,
    OBSERVATION_KEYS,
    OPTIONAL_COLUMNS,
    REQUIRED,
    MissingColumnError,
    as_column,
    check_together,
)
from recsim_env.event_log.parquet import from_table, read_table, write_log
from recsim_env.records import Event

MISSING: Any = None
"""Given, or left, for a column that a log lacks."""


@dataclass(eq=False, kw_only=True)
class EventLog:
    """Decisions of one logging policy, one row each, sorted by (user_id, visit, step); see `COLUMNS`.

    A log of the simulator has every core column. A real log may lack any but `action` and `events`: such a
    column is listed in ``missing`` and reading it raises ``MissingColumnError``; nothing is made up for it.

    Attributes:
        user_id: [n] int64.
        visit: [n] int32, 0-based session of the user; where users are unknown, of the log.
        step: [n] int32, 0-based decision of the session.
        action: [n, K] int32, the items shown, position 0 first.
        propensity: [n] float64 in (0, 1], probability that the logging policy gave to the action (the slate).
        events: [n, K] uint8, what the user did at each position: 1 click + 2 like + 4 purchase; real logs
            also have 8, put into the cart, and mark only what a row of theirs says.
        price: [n, K] float32, price of the items shown.
        reward: [n] float32.
        terminated, truncated: [n] bool, after this decision the user left, or the horizon ran out.
        history_items, history_events: [n, H] int32 and uint8, the observation's history, most recent last.
        last_slate, last_events: [n, K] int32 and uint8, the outcome of the previous decision.
        segment, session_step: [n] int32.
        optional: columns that only some logs have, also to be read as attributes: ``item_propensity`` [n, K]
            float64, probability of the item at its position given those above it, so that the propensity of
            the slate is their product; ``item_prob`` [n, N] float32, probability of every item (in two-stage
            worlds of every candidate) at position 0, for single items the action probabilities; ``position``
            [n, K] int32, where the items stood if not at 0 .. K-1; ``time`` [n] int64, microseconds since
            1970 (UTC); ``visit_ended`` [n] bool, the user closed the visit, to return or not.
        extra_observation: what the policy saw beside the core, by key: [n] or [n, M] each.
        policy: name of the logging policy.
        provenance: JSON-serialisable origin: scenario, config, seed, stream version, commit.
        missing: names of the core columns that the log lacks.
    """

    user_id: np.ndarray = MISSING
    visit: np.ndarray = MISSING
    step: np.ndarray = MISSING
    action: np.ndarray
    propensity: np.ndarray = MISSING
    events: np.ndarray
    price: np.ndarray = MISSING
    reward: np.ndarray = MISSING
    terminated: np.ndarray = MISSING
    truncated: np.ndarray = MISSING
    history_items: np.ndarray = MISSING
    history_events: np.ndarray = MISSING
    last_slate: np.ndarray = MISSING
    last_events: np.ndarray = MISSING
    segment: np.ndarray = MISSING
    session_step: np.ndarray = MISSING
    optional: dict[str, np.ndarray] = field(default_factory=dict)
    extra_observation: dict[str, np.ndarray] = field(default_factory=dict)
    policy: str
    provenance: dict[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Bring every column to its dtype and check that all have the same rows and widths.

        Raises:
            ValueError: a column has another shape than the rest, holds what its dtype cannot, or rows are not
                in order.
        """
        self.missing = tuple(name for name in COLUMNS if self.__dict__[name] is None)
        absent = [name for name in REQUIRED if name in self.missing]
        if absent:
            raise ValueError(f"{absent[0]}: every log has this column, got None")
        for name in COLUMNS:
            if name in self.missing:
                delattr(self, name)
            else:
                setattr(self, name, as_column(name, getattr(self, name)))
        unknown = [name for name in self.optional if name not in OPTIONAL_COLUMNS]
        taken = [name for name in self.extra_observation if name in COLUMNS or name in OPTIONAL_COLUMNS]
        if unknown or taken:
            raise ValueError(
                f"{(unknown or taken)[0]}: expected {'one of ' if unknown else 'a name outside '}"
                f"{', '.join(OPTIONAL_COLUMNS)}{'' if unknown else ' and the core columns'}"
            )
        self.optional = {name: as_column(name, self.optional[name]) for name in sorted(self.optional)}
        self.extra_observation = {
            name: as_column(name, self.extra_observation[name]) for name in sorted(self.extra_observation)
        }
        check_together(self.columns)

    def __getattr__(self, name: str) -> np.ndarray:
        optional = self.__dict__.get("optional", {})
        if name in optional:
            column: np.ndarray = optional[name]
            return column
        if name in COLUMNS or name in OPTIONAL_COLUMNS:
            source = self.__dict__.get("provenance", {}).get("source", "this log")
            raise MissingColumnError(f"log.{name}: {source} does not record it")
        known = vars(type(self)).get(name)
        if isinstance(known, property):  # it found a column missing: let it say which
            return known.__get__(self)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __len__(self) -> int:
        return len(self.action)

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """Every column that the log has, in the order of the file: core, optional, further observations."""
        core = {name: self.__dict__[name] for name in COLUMNS if name not in self.missing}
        return {**core, **self.optional, **self.extra_observation}

    @property
    def slate_size(self) -> int:
        """K, positions per decision."""
        return int(self.action.shape[1])

    @property
    def num_users(self) -> int:
        """How many different users the log holds."""
        return int(np.count_nonzero(np.diff(self.user_id))) + 1 if len(self) else 0

    @classmethod
    def from_columns(
        cls, columns: Mapping[str, np.ndarray], policy: str, provenance: dict[str, Any] | None = None
    ) -> Self:
        """A log of columns by name: those of the schema, and further observations under their keys."""
        known = {name: column for name, column in columns.items() if name in COLUMNS}
        optional = {name: column for name, column in columns.items() if name in OPTIONAL_COLUMNS}
        extra = {
            name: column for name, column in columns.items() if name not in known and name not in optional
        }
        arguments: dict[str, Any] = {**known, "optional": optional, "extra_observation": extra}
        for name in REQUIRED:
            arguments.setdefault(name, None)
        return cls(**arguments, policy=policy, provenance={} if provenance is None else provenance)

    def with_columns(self, **changes: np.ndarray | None) -> EventLog:
        """The same log with some columns replaced or added; None takes one away."""
        columns = {name: values for name, values in {**self.columns, **changes}.items() if values is not None}
        return EventLog.from_columns(columns, self.policy, dict(self.provenance))

    def select(self, rows: np.ndarray | slice) -> EventLog:
        """The log of some rows, in their order."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        return EventLog.from_columns(columns, self.policy, dict(self.provenance))

    @classmethod
    def concatenate(cls, logs: Sequence[EventLog]) -> EventLog:
        """One log of several with the same columns, in the given order.

        Raises:
            ValueError: there is none, or two have other columns.
        """
        if not logs:
            raise ValueError("logs: expected at least one, got none")
        names = list(logs[0].columns)
        for number, log in enumerate(logs):
            if list(log.columns) != names:
                raise ValueError(f"logs[{number}]: expected the columns {names}, got {list(log.columns)}")
        joined = {name: np.concatenate([log.columns[name] for log in logs]) for name in names}
        return cls.from_columns(joined, logs[0].policy, dict(logs[0].provenance))

    def observation(self, rows: np.ndarray | slice = slice(None)) -> dict[str, np.ndarray]:
        """What the policy saw at these decisions: [b, ...] under the environment's keys, integers as int64.

        Of the core keys those that the log has; that is all of them in a log of the simulator.

        Raises:
            MissingColumnError: the log says nothing of what was seen.
        """
        known = [key for key in OBSERVATION_KEYS if key not in self.missing]
        if not known and not self.extra_observation:
            known = [OBSERVATION_KEYS[0]]  # whose absence is told
        observation = {key: getattr(self, key)[rows].astype(np.int64) for key in known}
        if "session_step" in observation:
            observation["session_step"] = observation["session_step"][:, None]
        for key, column in self.extra_observation.items():
            observation[key] = column[rows].astype(np.int64 if column.dtype.kind == "i" else column.dtype)
        return observation

    def next_observation(self, rows: np.ndarray | slice = slice(None)) -> dict[str, np.ndarray]:
        """What a policy would see right after these decisions, had the session gone on; also at its last one.

        Where the log has the next decision of the same episode, that is what was seen there. Elsewhere it is
        derived from observation, action and events: the clicked items join the history in order of
        position (in a real log, which marks one event a row, those with any event), the slate becomes the
        last slate, the session is one step older; observations beside the core keep their last value.
        """
        joins = 0xFF if self.missing else int(Event.CLICK)
        observation = self.observation(rows)
        action = self.action[rows].astype(np.int64)
        events = self.events[rows].astype(np.int64)
        if "history_items" in observation:
            items, masks = observation["history_items"], observation["history_events"]
            for position in range(self.slate_size):
                took = (events[:, position] & joins) > 0
                items[took] = np.column_stack([items[took, 1:], action[took, position]])
                masks[took] = np.column_stack([masks[took, 1:], events[took, position]])
        derived = dict(observation)
        derived |= {
            key: value for key, value in (("last_slate", action), ("last_events", events)) if key in derived
        }
        if "session_step" in derived:
            derived["session_step"] = derived["session_step"] + 1
        following = np.arange(len(self))[rows] + 1
        seen_there = self.has_next[rows]
        if not self.extra_observation:  # within a visit the two are the same
            seen_there[seen_there] = self.step[following[seen_there]] == 0
        for key, seen in self.observation(following[seen_there]).items():
            derived[key][seen_there] = seen
        return derived

    @property
    def has_next(self) -> np.ndarray:
        """[n] bool: the next row is the next decision of the same episode."""
        goes_on = np.zeros(len(self), bool)
        user, visit, step = (getattr(self, name) for name in KEYS)
        same_visit = (visit[1:] == visit[:-1]) & (step[1:] == step[:-1] + 1)
        next_visit = (visit[1:] == visit[:-1] + 1) & (step[1:] == 0)
        goes_on[:-1] = (user[1:] == user[:-1]) & (same_visit | next_visit)
        return goes_on & ~(self.terminated | self.truncated)

    def first_users(self, num_decisions: int) -> EventLog:
        """The whole sessions of the first users that together hold at least `num_decisions` rows.

        Raises:
            ValueError: the log is shorter than that.
        """
        if not 1 <= num_decisions <= len(self):
            raise ValueError(f"num_decisions: expected 1..{len(self)}, got {num_decisions}")
        end = int(np.searchsorted(self.user_id, self.user_id[num_decisions - 1], side="right"))
        return self.select(slice(0, end))

    def save(self, path: str | Path) -> None:
        """Write one Parquet file (zstd); it appears under its name only when it is complete."""
        write_log(path, self.columns, list(self.extra_observation), self.policy, self.provenance)

    @classmethod
    def load(cls, path: str | Path) -> EventLog:
        """Read a file that `save` wrote, or all of a folder that `simulate` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: not an event log, a damaged one, or one of another schema version; the message says
                which.
        """
        if Path(path).is_dir():
            from recsim_env.event_log.folder import LogFolder

            return LogFolder.open(path).load()
        header, table = read_table(path)
        try:
            return cls.from_columns(
                from_table(f"path: {path}", table), header["policy"], header["provenance"]
            )
        except ValueError as error:
            raise ValueError(f"path: {path} is damaged ({error})") from error


for _name in COLUMNS:  # the defaults are no attributes of the class: a missing column must not be found there
    if _name in vars(EventLog):
        delattr(EventLog, _name)
