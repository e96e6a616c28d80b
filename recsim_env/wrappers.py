"""Flat observations for policies that take one plain vector."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorEnv, VectorObservationWrapper
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from recsim_env.catalog import PublicCatalog
from recsim_env.interface import observation_space
from recsim_env.records import ALL_EVENTS, Event
from recsim_env.world import World

EVENT_BITS = np.array([[bool(mask & event) for event in Event] for mask in range(ALL_EVENTS + 1)], np.float32)
"""[8, 3]: an event mask as three numbers, 0 or 1: click, like, purchase."""

HALF_WAY = {"session_step": 10.0, "hours_away": 24.0, "hour": 24.0}
"""Where the flat form of a count, decisions or hours, reads one half."""
_NO_SPREAD = (
    1e-6  # relative to a feature's own scale, what is rounding rather than a difference between items
)


def item_features(catalog: PublicCatalog) -> NDArray[np.float32]:
    """What is publicly known of every item, [N + 1, C + 2] float32; the last row, that of "no item", is zero.

    Topic as C numbers of which one is 1, log price and log base popularity, both standardised over the
    catalog (0 when all items have the same).
    """
    count = len(catalog.topic)
    features = np.zeros((count + 1, catalog.num_topics + 2), np.float32)
    features[np.arange(count), catalog.topic] = 1
    features[:count, -2] = _standardise(np.log(catalog.price, dtype=np.float64))
    features[:count, -1] = _standardise(np.log(catalog.base_popularity))
    return features


def _standardise(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = values - values.mean()
    spread = centred.std()
    return np.zeros_like(values) if spread <= _NO_SPREAD * np.abs(values).max() else centred / spread


class HistoryFlattener:
    """Dict observations of one world, single or batched, as flat vectors.

    Layout: H history slots, the latest last; K slots of the last slate, from the top; the segment as S
    numbers of which one is 1; session_step / (session_step + 10); where the world has them hours_away /
    (hours_away + 24), hour / (hour + 24), and the features of each candidate. A slot holds the item's
    features (see ``item_features``) and its three event bits, and is zero where there is no item.

    Args:
        world: whose observations.

    Attributes:
        space: Box [(H + K) (C + 5) + S + 1 + ...] float32 with finite limits.
    """

    def __init__(self, world: World) -> None:
        config = world.config
        slots, segments = config.history_length + config.slate_size, config.population.num_segments
        self._items = item_features(world.public_catalog)
        self._segments = np.eye(segments, dtype=np.float32)
        self._num_features = self._items.shape[1]
        self._slots_end = slots * (self._num_features + EVENT_BITS.shape[1])
        self._segments_end = self._slots_end + segments
        keys = observation_space(config).spaces
        self._counts = {name: half for name, half in HALF_WAY.items() if name in keys}
        self._num_candidates = config.candidates.num_candidates
        low = self._items.min(axis=0)
        # At least 1, also for a topic without items: checkers want every interval to have a length.
        high = np.maximum(self._items.max(axis=0), 1)
        between = np.zeros(segments + len(self._counts), np.float32)
        self.space = spaces.Box(
            np.concatenate(
                (np.tile([*low, *EVENT_BITS.min(axis=0)], slots), between, np.tile(low, self._num_candidates))
            ),
            np.concatenate(
                (
                    np.tile([*high, *EVENT_BITS.max(axis=0)], slots),
                    between + 1,
                    np.tile(high, self._num_candidates),
                )
            ),
            dtype=np.float32,
        )

    def __call__(self, observation: dict[str, Any]) -> NDArray[np.float32]:
        """Flatten one observation, [width], or a batch of them, [B, width]; always a fresh array."""
        items = np.concatenate((observation["history_items"], observation["last_slate"]), axis=-1)
        events = np.concatenate((observation["history_events"], observation["last_events"]), axis=-1)
        flat = np.empty((*items.shape[:-1], *self.space.shape), np.float32)
        slots = flat[..., : self._slots_end].reshape(*items.shape, -1)  # a view: the split axis is contiguous
        slots[..., : self._num_features] = self._items.take(items, axis=0)
        slots[..., self._num_features :] = EVENT_BITS.take(events, axis=0)
        at = self._segments_end
        flat[..., self._slots_end : at] = self._segments.take(observation["segment"], axis=0)
        for name, half_way in self._counts.items():
            count = observation[name][..., 0]
            flat[..., at] = count / (count + half_way)
            at += 1
        if self._num_candidates:
            features = self._items.take(observation["candidates"], axis=0)
            flat[..., at:] = features.reshape(*items.shape[:-1], -1)
        return flat


def _flattener_of(env: Any, space: spaces.Space[Any], wrapper: str) -> HistoryFlattener:
    world = getattr(env.unwrapped, "world", None)
    if not isinstance(world, World):
        raise TypeError(f"{wrapper}: env: expected an environment of recsim_env, got {env}")
    if space != observation_space(world.config):
        raise ValueError(
            f"{wrapper}: env: expected the environment's own observations, but a wrapper changed them: {env}"
        )
    return HistoryFlattener(world)


class FlattenHistory(
    gymnasium.ObservationWrapper[NDArray[np.float32], Any, dict[str, Any]], RecordConstructorArgs
):
    """Observations as one float32 vector with finite limits; the layout is ``HistoryFlattener``'s.

    Args:
        env: a single environment of recsim_env, possibly wrapped.
    """

    def __init__(self, env: gymnasium.Env[dict[str, Any], Any]) -> None:
        RecordConstructorArgs.__init__(self)
        gymnasium.ObservationWrapper.__init__(self, env)
        self._flatten = _flattener_of(env, env.observation_space, type(self).__name__)
        self.observation_space = self._flatten.space

    def observation(self, observation: dict[str, Any]) -> NDArray[np.float32]:
        """Flatten one observation."""
        return self._flatten(observation)


class FlattenHistoryVector(VectorObservationWrapper[NDArray[np.float32], Any, dict[str, Any], NDArray[Any]]):
    """Observations as [B, width] float32; each row is what ``FlattenHistory`` makes of that user alone.

    Args:
        env: a native vector environment of recsim_env, possibly wrapped, in autoreset mode NEXT_STEP or
            DISABLED (as for all of Gymnasium's vector observation wrappers).
    """

    def __init__(self, env: VectorEnv[dict[str, Any], Any, NDArray[Any]]) -> None:
        super().__init__(env)
        self._flatten = _flattener_of(env, env.single_observation_space, type(self).__name__)
        self.single_observation_space = self._flatten.space
        self.observation_space = batch_space(self._flatten.space, self.num_envs)

    def observations(self, observations: dict[str, Any]) -> NDArray[np.float32]:
        """Flatten a batch of observations."""
        return self._flatten(observations)
