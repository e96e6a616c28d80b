"""Checked dataclasses: fields that know their type and bounds, and errors that say what was expected."""

from __future__ import annotations

import dataclasses
import difflib
import math
from dataclasses import dataclass, field
from typing import Any, Self


def real(default: float, low: float = -math.inf, high: float = math.inf) -> Any:
    """A field that holds a finite number within bounds."""
    return field(default=default, metadata={"type": float, "low": low, "high": high})


def whole(default: int, low: int, high: float) -> Any:
    """A field that holds an integer within bounds."""
    return field(default=default, metadata={"type": int, "low": low, "high": high})


def nearest(name: str, valid: Any) -> str:
    """A sentence that lists the valid names, the nearest first when there is one."""
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=3)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{hint}valid names: {', '.join(names)}"


def _check_number(owner: str, spec: dataclasses.Field[Any], value: Any) -> float | int:
    """Return the value as its declared type, or raise with the argument, what was expected and what came."""
    kind, low, high = spec.metadata["type"], spec.metadata["low"], spec.metadata["high"]
    expected = f"expected {'an integer' if kind is int else 'a number'} in [{low}, {high}]"
    is_number = isinstance(value, (int, float)) or hasattr(value, "__float__")
    if isinstance(value, bool) or not is_number or getattr(value, "ndim", 0) != 0:
        raise TypeError(f"{owner}.{spec.name}: {expected}, got {value!r} of type {type(value).__name__}")
    if not math.isfinite(value) or not low <= value <= high or (kind is int and int(value) != value):
        raise ValueError(f"{owner}.{spec.name}: {expected}, got {value!r}")
    return kind(value)


@dataclass(frozen=True)
class Section:
    """A group of fields, each with its type and bounds in the field's metadata."""

    def __post_init__(self) -> None:
        for spec in dataclasses.fields(self):
            if "low" in spec.metadata:
                value = _check_number(type(self).__name__, spec, getattr(self, spec.name))
                object.__setattr__(self, spec.name, value)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build from a dict of some of the fields; an unknown name is an error that names the nearest."""
        return cls(**known_fields(cls, values))

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **known_fields(type(self), changes))


def known_fields(cls: Any, values: dict[str, Any]) -> dict[str, Any]:
    """The values as given, once every name is known to be a field of the dataclass."""
    names = [spec.name for spec in dataclasses.fields(cls)]
    for name in values:
        if name not in names:
            raise ValueError(f"{cls.__name__}: unknown field {name!r}; {nearest(name, names)}")
    return values
