"""The logged data: what a policy showed, with which propensity, and what the users did. One Parquet file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsim_env.event_log.files import replacing
from recsim_env.records import Event

SCHEMA_VERSION = 1
METADATA_KEY = b"recsim_env.event_log"

COLUMNS: dict[str, tuple[type, str]] = {
    "user_id": (np.int64, ""),
    "visit": (np.int32, ""),
    "step": (np.int32, ""),
    "action": (np.int32, "K"),
    "propensity": (np.float64, ""),
    "events": (np.uint8, "K"),
    "price": (np.float32, "K"),
    "reward": (np.float32, ""),
    "terminated": (np.bool_, ""),
    "truncated": (np.bool_, ""),
    "history_items": (np.int32, "H"),
    "history_events": (np.uint8, "H"),
    "last_slate": (np.int32, "K"),
    "last_events": (np.uint8, "K"),
    "segment": (np.int32, ""),
    "session_step": (np.int32, ""),
}
"""Column -> (dtype, second axis): K positions, H interactions of history, or "" for one value a decision."""

OBSERVATION_KEYS = ("history_items", "history_events", "last_slate", "last_events", "segment", "session_step")


@dataclass(eq=False)
class EventLog:
    """Decisions of one logging policy, one row each, sorted by (user_id, visit, step); see `COLUMNS`.

    Attributes:
        user_id: [n] int64.
        visit: [n] int32, 0-based session of the user.
        step: [n] int32, 0-based decision of the session.
        action: [n, K] int32, the items shown, position 0 first.
        propensity: [n] float64 in (0, 1], probability that the logging policy gave to the action (the slate).
        events: [n, K] uint8, what the user did at each position: 1 click + 2 like + 4 purchase.
        price: [n, K] float32, price of the items shown.
        reward: [n] float32.
        terminated, truncated: [n] bool, after this decision the user left, or the horizon ran out.
        history_items, history_events: [n, H] int32 and uint8, the observation's history, most recent last.
        last_slate, last_events: [n, K] int32 and uint8, the outcome of the previous decision.
        segment, session_step: [n] int32.
        policy: name of the logging policy.
        provenance: JSON-serialisable origin: scenario, config, seed, stream version, commit.
    """

    user_id: np.ndarray
    visit: np.ndarray
    step: np.ndarray
    action: np.ndarray
    propensity: np.ndarray
    events: np.ndarray
    price: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    history_items: np.ndarray
    history_events: np.ndarray
    last_slate: np.ndarray
    last_events: np.ndarray
    segment: np.ndarray
    session_step: np.ndarray
    policy: str
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Bring every column to its dtype and check that all have the same rows and widths.

        Raises:
            ValueError: a column has another shape than the rest, or rows are not in order.
        """
        widths: dict[str, int] = {}
        for name, (dtype, axis) in COLUMNS.items():
            column: np.ndarray = np.asarray(getattr(self, name)).astype(dtype, copy=False)
            setattr(self, name, column)
            if column.ndim != (2 if axis else 1):
                raise ValueError(f"{name}: expected {2 if axis else 1} axes, got shape {list(column.shape)}")
            if len(column) != len(self.user_id):
                raise ValueError(f"{name}: expected {len(self.user_id)} rows like user_id, got {len(column)}")
            if axis and column.shape[1] != widths.setdefault(axis, column.shape[1]):
                raise ValueError(f"{name}: expected width {axis} = {widths[axis]}, got {column.shape[1]}")
        order = (self.user_id, self.visit, self.step)
        falls = _first_not_increasing(order)
        if falls is not None:
            found = [tuple(int(key[row]) for key in order) for row in (falls, falls + 1)]
            raise ValueError(
                f"rows {falls} and {falls + 1}: (user_id, visit, step) must increase, "
                f"got {found[0]} then {found[1]}"
            )

    def __len__(self) -> int:
        return len(self.user_id)

    @property
    def slate_size(self) -> int:
        """K, positions per decision."""
        return int(self.action.shape[1])

    @property
    def num_users(self) -> int:
        """How many different users the log holds."""
        return int(np.count_nonzero(np.diff(self.user_id))) + 1 if len(self) else 0

    def observation(self, rows: np.ndarray | slice = slice(None)) -> dict[str, np.ndarray]:
        """What the policy saw at these decisions, in the environment's keys and int64: [b, ...] each."""
        observation = {key: getattr(self, key)[rows].astype(np.int64) for key in OBSERVATION_KEYS}
        observation["session_step"] = observation["session_step"][:, None]
        return observation

    def next_observation(self, rows: np.ndarray | slice = slice(None)) -> dict[str, np.ndarray]:
        """What a policy would see right after these decisions, had the session gone on; also at its last one.

        Derived from observation, action and events: the clicked items join the history in order of position,
        the slate becomes the last slate, the session is one step older.
        """
        observation = self.observation(rows)
        action = self.action[rows].astype(np.int64)
        events = self.events[rows].astype(np.int64)
        items, masks = observation["history_items"], observation["history_events"]
        for position in range(self.slate_size):
            clicked = (events[:, position] & Event.CLICK) > 0
            items[clicked] = np.column_stack([items[clicked, 1:], action[clicked, position]])
            masks[clicked] = np.column_stack([masks[clicked, 1:], events[clicked, position]])
        return {
            "history_items": items,
            "history_events": masks,
            "last_slate": action,
            "last_events": events,
            "segment": observation["segment"],
            "session_step": observation["session_step"] + 1,
        }

    def first_users(self, num_decisions: int) -> EventLog:
        """The whole sessions of the first users that together hold at least `num_decisions` rows.

        Raises:
            ValueError: the log is shorter than that.
        """
        if not 1 <= num_decisions <= len(self):
            raise ValueError(f"num_decisions: expected 1..{len(self)}, got {num_decisions}")
        end = int(np.searchsorted(self.user_id, self.user_id[num_decisions - 1], side="right"))
        columns = {name: getattr(self, name)[:end] for name in COLUMNS}
        return EventLog(**columns, policy=self.policy, provenance=dict(self.provenance))

    def save(self, path: str | Path) -> None:
        """Write one Parquet file (zstd); it appears under its name only when it is complete."""
        header = {"schema_version": SCHEMA_VERSION, "policy": self.policy, "provenance": self.provenance}
        metadata = {METADATA_KEY: json.dumps(header).encode()}
        arrays = [_to_arrow(getattr(self, name)) for name in COLUMNS]
        table = pa.Table.from_arrays(arrays, names=list(COLUMNS)).replace_schema_metadata(metadata)
        with replacing(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")

    @classmethod
    def load(cls, path: str | Path) -> EventLog:
        """Read a file that `save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: not an event log, or one of another schema version; the message says which.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"path: {path} is not a file")
        try:
            table = pq.read_table(path)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"path: {path} is not a readable Parquet file ({error})") from error
        metadata: Mapping[bytes, bytes] = table.schema.metadata or {}
        if METADATA_KEY not in metadata:
            raise ValueError(f"path: {path} is a Parquet file, but not an event log of recsim_env")
        header = json.loads(metadata[METADATA_KEY])
        if header["schema_version"] != SCHEMA_VERSION:
            found = header["schema_version"]
            raise ValueError(
                f"path: {path} has event log schema {found}, this version reads {SCHEMA_VERSION}"
            )
        missing = [name for name in COLUMNS if name not in table.column_names]
        if missing:
            raise ValueError(f"path: {path} lacks the columns {missing}")
        columns = {name: _from_arrow(table.column(name)) for name in COLUMNS}
        return cls(**columns, policy=header["policy"], provenance=header["provenance"])


def _first_not_increasing(keys: tuple[np.ndarray, ...]) -> int | None:
    """The first row r whose keys are not lexicographically below those of row r + 1, or None."""
    below = np.zeros(max(len(keys[0]) - 1, 0), dtype=bool)
    equal = ~below
    for key in keys:
        below |= equal & (key[:-1] < key[1:])
        equal &= key[:-1] == key[1:]
    bad = np.flatnonzero(~below)
    return int(bad[0]) if len(bad) else None


def _to_arrow(column: np.ndarray) -> pa.Array:
    if column.ndim == 1:
        return pa.array(column)
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(column).ravel()), column.shape[1])


def _from_arrow(column: pa.ChunkedArray) -> np.ndarray:
    if not pa.types.is_fixed_size_list(column.type):
        return column.to_numpy()
    flat = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    empty = np.zeros(0, dtype=column.type.value_type.to_pandas_dtype())
    return np.concatenate([empty, *flat]).reshape(-1, column.type.list_size)
