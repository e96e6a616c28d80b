"""What an agent must know of a scenario to read its observations, and checks against other scenarios."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from recsim_env.interface import MAX_HOUR
from recsim_env.streams import MAX_STEP

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog

Observation = Mapping[str, NDArray[Any]]

NUM_EVENT_MASKS = 8
"""Event bit masks: 1 click, 2 like, 4 purchase and their sums; 0 none (padding, or not clicked)."""


@dataclass(frozen=True)
class ObservationSpec:
    """Sizes of a scenario's observations and actions.

    Attributes:
        num_items: N, also the id of padding.
        history_length: H, visible interactions, most recent last.
        slate_size: K.
        num_segments: S, size of the observable user segment.
        num_candidates: M, choices of a two-stage world; 0 where every item can be chosen.
        has_hours_away: whether users return, and the observation says after how many hours.
        has_hour: whether there is a clock, and the observation says the hour.
    """

    num_items: int
    history_length: int
    slate_size: int
    num_segments: int
    num_candidates: int = 0
    has_hours_away: bool = False
    has_hour: bool = False

    def __post_init__(self) -> None:
        for name in ("num_items", "history_length", "slate_size", "num_segments"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if not 0 <= self.num_candidates <= self.num_items:
            raise ValueError(
                f"num_candidates: expected in [0, num_items={self.num_items}], got {self.num_candidates}"
            )

    @classmethod
    def from_space(cls, space: spaces.Space[Any]) -> ObservationSpec:
        """Read the sizes from a single environment's Dict observation space."""
        if not isinstance(space, spaces.Dict) or "history_items" not in space.spaces:
            raise ValueError(
                f"observation_space: expected recsim_env's Dict with 'history_items', got {space}"
            )
        history, slate, segment = space["history_items"], space["last_slate"], space["segment"]
        if not isinstance(history, spaces.Box) or not isinstance(segment, spaces.Discrete):
            raise ValueError(
                f"observation_space: expected Box 'history_items' and Discrete 'segment', got {space}"
            )
        assert slate.shape is not None
        candidates = space["candidates"].shape if "candidates" in space.spaces else (0,)
        assert candidates is not None
        return cls(
            int(history.high.max()),
            history.shape[0],
            slate.shape[0],
            int(segment.n),
            candidates[0],
            "hours_away" in space.spaces,
            "hour" in space.spaces,
        )

    def observation_space(self) -> spaces.Dict:
        """The single environment's observation space, rebuilt."""

        def box(high: int, size: int) -> spaces.Box:
            return spaces.Box(0, high, (size,), np.int64)

        parts: dict[str, spaces.Space[Any]] = {
            "history_items": box(self.num_items, self.history_length),
            "history_events": box(NUM_EVENT_MASKS - 1, self.history_length),
            "last_slate": box(self.num_items, self.slate_size),
            "last_events": box(NUM_EVENT_MASKS - 1, self.slate_size),
            "segment": spaces.Discrete(self.num_segments),
            "session_step": box(MAX_STEP, 1),
        }
        if self.has_hours_away:
            parts["hours_away"] = box(MAX_HOUR, 1)
        if self.has_hour:
            parts["hour"] = box(MAX_HOUR, 1)
        if self.num_candidates:
            parts["candidates"] = box(self.num_items, self.num_candidates)
        return spaces.Dict(parts)

    def check(self, observation: Observation) -> None:
        """Raise when a batch of observations cannot come from this scenario.

        Hours are looked at where they are there: logs leave them out, and few agents read them. Candidates
        are demanded in two-stage scenarios and welcome elsewhere, in any number.

        Raises:
            KeyError: a key is missing.
            ValueError: a width differs, or a value is out of range; the message names the first offending
                index.
        """
        widths = {
            "history_items": (self.history_length, self.num_items),
            "history_events": (self.history_length, NUM_EVENT_MASKS - 1),
            "last_slate": (self.slate_size, self.num_items),
            "last_events": (self.slate_size, NUM_EVENT_MASKS - 1),
        }
        if self.num_candidates:
            widths["candidates"] = (self.num_candidates, self.num_items)
        for key, (width, high) in widths.items():
            array = _column(observation, key)
            if array.ndim != 2 or array.shape[1] != width:
                raise ValueError(
                    f"observation[{key!r}]: expected shape [B, {width}], got {list(array.shape)}"
                )
            _check_range(key, array, high)
        _check_range("segment", _column(observation, "segment"), self.num_segments - 1)
        _check_range("session_step", _column(observation, "session_step"), None)
        for key in ("hours_away", "hour"):
            if key in observation:
                _check_range(key, _column(observation, key), MAX_HOUR)


def check_sizes(observation: Observation, num_items: int, slate_size: int) -> None:
    """The same for policies that read little: what an observation has of items and slates must fit.

    Raises:
        ValueError: an item is none of the N, or slates have another size; the message names the first one.
    """
    for key in ("history_items", "last_slate"):
        if key in observation:
            _check_range(key, np.asarray(observation[key]), num_items)
    if "last_slate" in observation and np.shape(observation["last_slate"])[1:] != (slate_size,):
        raise ValueError(
            f"observation['last_slate']: expected shape [B, {slate_size}], "
            f"got {list(np.shape(observation['last_slate']))}"
        )


def _column(observation: Observation, key: str) -> NDArray[Any]:
    if key not in observation:
        raise KeyError(f"observation: key {key!r} is missing, got {sorted(observation)}")
    return np.asarray(observation[key])


def _check_range(key: str, array: NDArray[Any], high: int | None) -> None:
    if array.size == 0 or (array.min() >= 0 and (high is None or array.max() <= high)):
        return
    bad = (array < 0) if high is None else (array < 0) | (array > high)
    index = tuple(int(axis[0]) for axis in np.nonzero(bad))
    bound = "at least 0" if high is None else f"in [0, {high}]"
    raise ValueError(f"observation[{key!r}]{list(index)}: expected {bound}, got {int(array[index])}")


def catalog_fingerprint(catalog: PublicCatalog) -> str:
    """A short hash of a public catalog: two catalogs are the same to an agent exactly when it is equal."""
    digest = hashlib.sha256()
    digest.update(np.ascontiguousarray(catalog.topic, dtype=np.int64).tobytes())
    digest.update(np.ascontiguousarray(catalog.price, dtype=np.float32).tobytes())
    digest.update(np.ascontiguousarray(catalog.base_popularity, dtype=np.float64).tobytes())
    for dates in (catalog.born, catalog.gone):
        if dates is not None:
            digest.update(np.ascontiguousarray(dates, dtype=np.int64).tobytes())
    return digest.hexdigest()[:16]


def check_catalog(catalog: PublicCatalog, fingerprint: str) -> None:
    """Raise ValueError when `catalog` is not the one the agent was made with."""
    found = catalog_fingerprint(catalog)
    if found != fingerprint:
        raise ValueError(
            f"public_catalog: fingerprint {found} ({len(catalog.topic)} items), "
            f"but this agent was made for the catalog {fingerprint}"
        )
