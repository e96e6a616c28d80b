"""What the single and the vector environment share: spaces, options, names of infos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from recsim_env.checked import nearest
from recsim_env.config import WorldConfig
from recsim_env.records import ALL_EVENTS
from recsim_env.spaces import SlateSpace
from recsim_env.streams import MAX_STEP

Duplicates = Literal["error", "ignore"]
DUPLICATES = ("error", "ignore")
SEED_BITS = 64

OUTCOME_INFO = ("user_id", "visit", "clicks", "likes", "purchases", "revenue")
VISIT_INFO = "visit_ended"
TRUTH_INFO = "expected_reward"
MAX_HOUR = 2**31 - 1


def observation_space(config: WorldConfig) -> spaces.Dict:
    """The observation of one user; see ``RecommenderEnv``."""
    padding = config.catalog.num_items
    history, slate = (config.history_length,), (config.slate_size,)
    parts: dict[str, spaces.Space[Any]] = {
        "history_items": spaces.Box(0, padding, history, np.int64),
        "history_events": spaces.Box(0, ALL_EVENTS, history, np.int64),
        "last_slate": spaces.Box(0, padding, slate, np.int64),
        "last_events": spaces.Box(0, ALL_EVENTS, slate, np.int64),
        "segment": spaces.Discrete(config.population.num_segments),
        "session_step": spaces.Box(0, MAX_STEP, (1,), np.int64),
    }
    if config.returns.lifetime_hours:
        parts["hours_away"] = spaces.Box(0, MAX_HOUR, (1,), np.int64)
    if config.run.run_hours:
        parts["hour"] = spaces.Box(0, MAX_HOUR, (1,), np.int64)
    if config.candidates.num_candidates:
        parts["candidates"] = spaces.Box(0, padding, (config.candidates.num_candidates,), np.int64)
    return spaces.Dict(parts)


def action_space(config: WorldConfig) -> spaces.Space[Any]:
    """One item, ``Discrete(N)``, or a slate of K of them, ``SlateSpace``; of M candidates where there are."""
    num_choices = config.candidates.num_candidates or config.catalog.num_items
    if config.slate_size == 1:
        return spaces.Discrete(num_choices)
    return SlateSpace(num_choices, (config.slate_size,))


def check_duplicates(duplicates: str) -> bool:
    """Whether repeats are allowed, or a clear error."""
    if duplicates not in DUPLICATES:
        raise ValueError(f"duplicates: got {duplicates!r}; {nearest(str(duplicates), DUPLICATES)}")
    return duplicates == "ignore"


def check_options(options: Mapping[str, Any] | None, valid: tuple[str, ...]) -> Mapping[str, Any]:
    """Reset options, or a clear error that names the first unknown key."""
    options = {} if options is None else options
    for name in options:
        if name not in valid:
            raise ValueError(f"reset options: unknown key {name!r}; {nearest(str(name), valid)}")
    return options


def stream_seed(np_random_seed: int) -> int:
    """The stream key of a Gymnasium seed: its low 64 bits (one drawn from the system's entropy has more)."""
    return int(np_random_seed) % 2**SEED_BITS
