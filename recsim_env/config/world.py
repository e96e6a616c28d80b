"""A whole world as one config: its sections and sizes, and its JSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Self

from recsim_env.checked import Section, known_fields, whole
from recsim_env.config.catalog import CandidateConfig, CatalogConfig
from recsim_env.config.platform import MAX_CHANGES, Change, RewardConfig, RunConfig
from recsim_env.config.users import (
    ChoiceConfig,
    FunnelConfig,
    PopulationConfig,
    PreferenceConfig,
    ReturnConfig,
    SessionConfig,
)

CONFIG_SCHEMA = 1


@dataclass(frozen=True)
class WorldConfig(Section):
    """A whole world: the sections, and the two sizes that shape actions and observations.

    Attributes:
        catalog, candidates, population, choice, funnel, preferences, session, returns, reward, run: see each
            class.
        drift: changes of the world during the run, at most ``MAX_CHANGES``. Each blends the taste that those
            before it made with its own; what they do to appeal adds up, to 1 at most.
        slate_size: K items shown per step.
        history_length: H, how many of the latest interacted items an observation holds.
    """

    catalog: CatalogConfig = field(default_factory=CatalogConfig)
    candidates: CandidateConfig = field(default_factory=CandidateConfig)
    population: PopulationConfig = field(default_factory=PopulationConfig)
    choice: ChoiceConfig = field(default_factory=ChoiceConfig)
    funnel: FunnelConfig = field(default_factory=FunnelConfig)
    preferences: PreferenceConfig = field(default_factory=PreferenceConfig)
    session: SessionConfig = field(default_factory=SessionConfig)
    returns: ReturnConfig = field(default_factory=ReturnConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    run: RunConfig = field(default_factory=RunConfig)
    drift: tuple[Change, ...] = ()
    slate_size: int = whole(1, 1, 1_000)
    history_length: int = whole(10, 1, 10_000)

    def __post_init__(self) -> None:
        super().__post_init__()
        for spec in dataclasses.fields(self):
            kind: Any = spec.default_factory
            if kind is not dataclasses.MISSING:
                value = getattr(self, spec.name)
                if not isinstance(value, kind):
                    raise TypeError(f"WorldConfig.{spec.name}: expected {kind.__name__}, got {value!r}")
        self._check_drift()
        self._check_sizes()

    def _check_drift(self) -> None:
        if not isinstance(self.drift, (tuple, list)) or len(self.drift) > MAX_CHANGES:
            raise ValueError(f"WorldConfig.drift: expected at most {MAX_CHANGES} changes, got {self.drift!r}")
        for place, change in enumerate(self.drift):
            if not isinstance(change, Change):
                raise TypeError(f"WorldConfig.drift[{place}]: expected Change, got {change!r}")
            if change.segment >= self.population.num_segments:
                raise ValueError(
                    f"WorldConfig.drift[{place}].segment: expected one below population.num_segments="
                    f"{self.population.num_segments}, got {change.segment}"
                )
        object.__setattr__(self, "drift", tuple(self.drift))
        if self.run.run_hours == 0 and (self.drift or self.catalog.shelf_hours):
            name = "drift" if self.drift else "catalog.shelf_hours"
            raise ValueError(f"WorldConfig.run.run_hours: expected above 0 beside {name}, got 0")

    def _check_sizes(self) -> None:
        items, offered = self.catalog.num_items, self.candidates.num_candidates
        if offered > items:
            raise ValueError(
                f"WorldConfig.candidates.num_candidates: expected at most catalog.num_items={items}, "
                f"got {offered}"
            )
        most, name = (offered, "candidates.num_candidates") if offered else (items, "catalog.num_items")
        if self.slate_size > most:
            raise ValueError(f"WorldConfig.slate_size: expected at most {name}={most}, got {self.slate_size}")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build from nested dicts, as ``dataclasses.asdict`` gives; what is missing keeps its default."""
        return cls().replace(**values)

    def replace(self, **changes: Any) -> Self:
        """A copy with some parts changed.

        A section takes its config or a dict of some of its fields; ``drift`` takes changes or dicts.
        """
        parts: dict[str, Any] = {}
        for name, value in known_fields(type(self), changes).items():
            current = getattr(self, name)
            if name == "drift" and isinstance(value, (tuple, list)):
                value = tuple(Change.from_dict(part) if isinstance(part, dict) else part for part in value)
            elif isinstance(current, Section) and isinstance(value, dict):
                value = current.replace(**value)
            parts[name] = value
        return dataclasses.replace(self, **parts)

    def to_json(self) -> str:
        """The config as JSON text; floats survive exactly."""
        return json.dumps({"config_schema": CONFIG_SCHEMA, **dataclasses.asdict(self)}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of ``to_json``."""
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError(f"WorldConfig.from_json: expected a JSON object, got {type(values).__name__}")
        schema = values.pop("config_schema", None)
        if schema != CONFIG_SCHEMA:
            raise ValueError(f"WorldConfig.from_json: expected config_schema {CONFIG_SCHEMA}, got {schema!r}")
        return cls.from_dict(values)
