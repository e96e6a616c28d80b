"""Agents by specification: a name of the registry and fields of its config, such as sqn:gamma=0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from agents.registry import AGENTS
from agents.spec_text import read_fields, split_spec
from recsim_env.checked import nearest


class AgentSpec(NamedTuple):
    """Which agent, and what of its config differs from the defaults.

    Attributes:
        name: in `agents.registry.AGENTS`.
        config: an instance of the agent's `config_class`; None where it has none.
        text: the specification.
    """

    name: str
    config: Any
    text: str

    @classmethod
    def parse(cls, text: str, settings: Mapping[str, Any] | None = None) -> Self:
        """Read NAME or NAME:field=value,field=value.

        Args:
            text: the specification.
            settings: further fields, as values or as text; those of `text` come first.

        Raises:
            ValueError: there is no such agent, or field (the message names the nearest), or the value is not
                one for it.
        """
        name, written = split_spec(text)
        if name not in AGENTS:
            raise ValueError(f"unknown agent {name!r}; {nearest(name, AGENTS)}")
        asked = {**(settings or {}), **written}
        config_class = getattr(AGENTS[name], "config_class", None)
        if config_class is None:
            if asked:
                raise ValueError(f"{text}: agent {name!r} has no settings, got {', '.join(asked)}")
            return cls(name, None, name)
        try:
            config = config_class(**read_fields(config_class, asked))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{text}: {error}") from error
        shown = ",".join(f"{field}={value}" for field, value in written.items())
        return cls(name, config, f"{name}:{shown}" if shown else name)

    def make(self) -> Any:
        """An untrained learner with this config."""
        return AGENTS[self.name]() if self.config is None else AGENTS[self.name](self.config)
