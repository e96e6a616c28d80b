"""One line of text that names something and sets some of its fields: NAME or NAME:field=value,field=value."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from recsim_env.checked import nearest

COMMA = re.compile(r",(?![^\[]*\])")
"""Between settings; commas in brackets belong to a value."""


def split_spec(spec: str) -> tuple[str, dict[str, str]]:
    """The name, and the settings as they were written; dashes in names of settings are underscores."""
    name, _, rest = spec.strip().partition(":")
    settings: dict[str, str] = {}
    for part in COMMA.split(rest) if rest else []:
        key, _, value = part.partition("=")
        settings[key.strip().replace("-", "_")] = value.strip()
    return name.strip(), settings


def split_specs(text: str) -> list[str]:
    """Comma-separated specifications: a part with a value and without a name belongs to the one before it."""
    specs: list[str] = []
    for part in filter(None, (part.strip() for part in COMMA.split(text))):
        if specs and "=" in part and ":" not in part.partition("=")[0]:
            specs[-1] += f",{part}" if ":" in specs[-1] else f":{part}"
        else:
            specs.append(part)
    return specs


def read_fields(config_class: type[Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as values of a dataclass's fields: text is read as the field's type, others are kept.

    Raises:
        ValueError: there is no such field, and the message names the nearest; or the text is no such value.
    """
    kinds = get_type_hints(config_class)
    known = [spec.name for spec in fields(config_class)]
    values = {}
    for name, value in settings.items():
        if name not in known:
            raise ValueError(f"unknown field {name!r}; {nearest(name, known)}")
        values[name] = _read(name, kinds[name], value) if isinstance(value, str) else value
    return values


def _read(name: str, kind: Any, text: str) -> Any:
    origin, options = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if type(None) in options and text.lower() == "none":
            return None
        (kind,) = [option for option in options if option is not type(None)] or [str]
        return _read(name, kind, text)
    if origin is Literal:
        found = [option for option in options if str(option) == text]
        if not found:
            raise ValueError(f"{name}: expected one of {', '.join(map(str, options))}, got {text!r}")
        return found[0]
    if kind is str:
        return text
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"{name}: expected true or false, got {text!r}")
        return text.lower() == "true"
    if kind is float or kind is int:
        try:
            return kind(text)
        except ValueError:
            expected = "an integer" if kind is int else "a number"
            raise ValueError(f"{name}: expected {expected}, got {text!r}") from None
    if origin in (tuple, list):
        try:
            return tuple(json.loads(text))
        except (ValueError, TypeError):
            raise ValueError(f"{name}: expected a list such as [64,32], got {text!r}") from None
    raise ValueError(f"{name}: cannot be set by text; give the agent's config in Python")
