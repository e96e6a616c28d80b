"""The columns of an event log: names, dtypes, widths, and the checks that every column passes."""

from __future__ import annotations

from typing import Any

import numpy as np

SCHEMA_VERSION = 2
READABLE_VERSIONS = (1, SCHEMA_VERSION)
"""Version 1 had neither optional nor missing columns, and no observation beside the core."""

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
"""Core column -> (dtype, second axis): K positions, H interactions of history, or "" for one value."""

OPTIONAL_COLUMNS: dict[str, tuple[type, str]] = {
    "item_propensity": (np.float64, "K"),
    "item_prob": (np.float32, "N"),
    "position": (np.int32, "K"),
    "time": (np.int64, ""),
    "visit_ended": (np.bool_, ""),
}
"""Columns that some logs have; N is the number of items. See `EventLog`."""

REQUIRED = ("action", "events")
"""Columns without which there is no log; every other one may be missing from a real log."""

CART = 8
"""Event bit of an item put into the cart; in real logs only, the simulator's users have no cart."""

KEYS = ("user_id", "visit", "step")
OBSERVATION_KEYS = ("history_items", "history_events", "last_slate", "last_events", "segment", "session_step")


class MissingColumnError(AttributeError, ValueError):
    """A log lacks the column that was asked for."""


def known_dtype(name: str) -> tuple[type, str] | None:
    """(dtype, axis) of a column of the schema; None for an observation beside the core."""
    return COLUMNS.get(name) or OPTIONAL_COLUMNS.get(name)


def as_column(name: str, values: Any) -> np.ndarray:
    """A column in the dtype of the schema; what the schema does not name is an observation beside the core.

    Of those, integers become int32, floats keep their precision, and one or two axes are taken.

    Raises:
        ValueError: wrong number of axes, another kind of number, or a value that the dtype cannot hold.
    """
    column = np.asarray(values)
    known = known_dtype(name)
    if known is None:
        if column.ndim not in (1, 2) or column.dtype.kind not in "biuf":
            raise ValueError(
                f"{name}: expected numbers in 1 or 2 axes, got shape {list(column.shape)} of {column.dtype}"
            )
        dtype = np.dtype(np.int32) if column.dtype.kind in "iu" else column.dtype
    else:
        axes = 2 if known[1] else 1
        if column.ndim != axes:
            raise ValueError(f"{name}: expected {axes} axes, got shape {list(column.shape)}")
        dtype = np.dtype(known[0])
    if column.dtype != dtype:
        _check_castable(name, column, dtype)
        column = column.astype(dtype)
    return column


def _check_castable(name: str, column: np.ndarray, dtype: np.dtype) -> None:
    allowed = {"i": "biu", "u": "biu", "b": "b", "f": "biuf"}[dtype.kind]
    if column.dtype.kind not in allowed:
        raise ValueError(f"{name}: expected {dtype}, got an array of {column.dtype}")
    if dtype.kind in "iu" and column.size and column.dtype.kind != "b":
        bounds = np.iinfo(dtype)
        if column.min() < bounds.min or column.max() > bounds.max:
            wrong = (column < bounds.min) | (column > bounds.max)
            index = [int(axis[0]) for axis in np.nonzero(wrong)]
            raise ValueError(
                f"{name}{index}: expected in [{bounds.min}, {bounds.max}], got {column[tuple(index)]}"
            )


def check_together(columns: dict[str, np.ndarray]) -> None:
    """That columns have the same rows and agreeing widths, and that rows are in order.

    Raises:
        ValueError: a column has another shape than the rest, or rows are not in order of the keys.
    """
    widths: dict[str, int] = {}
    first, rows = "action", len(columns["action"])
    if "user_id" in columns:
        first, rows = "user_id", len(columns["user_id"])
    for name, column in columns.items():
        if len(column) != rows:
            raise ValueError(f"{name}: expected {rows} rows like {first}, got {len(column)}")
        axis = (known_dtype(name) or (None, ""))[1]
        if axis and column.shape[1] != widths.setdefault(axis, column.shape[1]):
            raise ValueError(f"{name}: expected width {axis} = {widths[axis]}, got {column.shape[1]}")
    if "step" not in columns:
        return  # decisions in no order that the log knows
    names = [name for name in KEYS if name in columns]
    falls = _first_not_increasing([columns[name] for name in names])
    if falls is not None:
        found = [tuple(int(columns[name][row]) for name in names) for row in (falls, falls + 1)]
        raise ValueError(
            f"rows {falls} and {falls + 1}: ({', '.join(names)}) must increase, "
            f"got {found[0]} then {found[1]}"
        )


def _first_not_increasing(keys: list[np.ndarray]) -> int | None:
    """The first row r whose keys are not lexicographically below those of row r + 1, or None."""
    below = np.zeros(max(len(keys[0]) - 1, 0), dtype=bool)
    equal = ~below
    for key in keys:
        below |= equal & (key[:-1] < key[1:])
        equal &= key[:-1] == key[1:]
    bad = np.flatnonzero(~below)
    return int(bad[0]) if len(bad) else None
