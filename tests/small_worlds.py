"""Small worlds that the simulator's tests share, and users served in them.

Every new combination of embedding_dim, num_topics, slate_size, history_length and organic_candidates is
compiled anew, so tests vary everything but these and take slates of 1 or of 4.
"""

from __future__ import annotations

import dataclasses
import hashlib
from functools import lru_cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

from recsim_env import World, WorldConfig
from recsim_env.config import Change
from recsim_env.truth import slate_truth

MODELS = ("logit", "cascade", "position")
SLATE_SIZES = (1, 4)

NUM_ITEMS = 60
HISTORY = 5

# Every value is spelled out, so that the scenarios of the project can change without changing the tests.
BASE: dict[str, dict[str, Any]] = {
    "catalog": {
        "seed": 0,
        "num_items": NUM_ITEMS,
        "embedding_dim": 8,
        "num_topics": 4,
        "topic_spread": 0.5,
        "popularity_exponent": 1.0,
        "appeal_scale": 0.5,
        "quality_appeal_correlation": -0.6,
        "price_median": 20.0,
        "price_log_std": 0.8,
    },
    "population": {
        "num_segments": 4,
        "segment_strength": 0.5,
        "second_topic_weight": 0.6,
        "taste_noise": 0.4,
        "interest_noise": 0.2,
        "conformity_mean": 0.3,
        "conformity_std": 0.1,
        "price_sensitivity_mean": 0.6,
        "price_sensitivity_std": 0.2,
        "cold_share": 0.1,
        "organic_min": 2,
        "organic_max": 5,
        "organic_candidates": 4,
    },
    "choice": {"model": "logit", "affinity_weight": 3.0, "no_click_utility": 1.0, "position_exponent": 0.66},
    "funnel": {
        "like_bias": -1.0,
        "like_match": 2.0,
        "like_quality": 1.0,
        "purchase_bias": 0.5,
        "purchase_match": 1.5,
        "purchase_quality": 1.5,
        "purchase_like": 1.0,
    },
    "preferences": {
        "satiation_weight": 1.5,
        "satiation_recovery": 0.9,
        "satiation_shown": 0.05,
        "satiation_consumed": 0.2,
        "pull_click": 0.03,
        "pull_like": 0.06,
        "pull_purchase": 0.09,
        "taste_pull": 0.05,
        "drift_scale": 0.02,
        "satisfaction_initial": 0.5,
        "satisfaction_memory": 0.7,
    },
    "session": {"patience_scale": 8.0, "patience_shape": 2.0, "step_cost": 1.0, "refund": 0.75},
    "reward": {"click": 0.2, "like": 0.5, "purchase": 1.0, "price_exponent": 0.0},
}


def small_config(slate_size: int = 4, model: str = "logit", **sections: dict[str, Any]) -> WorldConfig:
    """60 items, 4 topics, 8 dimensions, histories of 5, users who click often and stay a few steps."""
    config = WorldConfig().replace(slate_size=slate_size, history_length=HISTORY, **BASE)
    return config.replace(choice={"model": model}).replace(**sections)


@lru_cache(maxsize=64)
def world_of(config: WorldConfig) -> World:
    return World(config)


def small_world(slate_size: int = 4, model: str = "logit", **sections: dict[str, Any]) -> World:
    return world_of(small_config(slate_size, model, **sections))


def slates_for(world: World, states: np.ndarray) -> np.ndarray:
    """[B, K] distinct items that depend on nothing but user, visit and step."""
    num_items, slate = world.config.catalog.num_items, world.config.slate_size
    first = states["user_id"] * 31 + states["visit"] * 17 + states["step"].astype(np.int64) * 7
    return (first[:, None] + np.arange(slate) * 3) % num_items


@dataclasses.dataclass
class Served:
    """T steps of B users: states [T + 1, B], outcomes and expected_reward [T, B], T + 1 observations."""

    states: np.ndarray
    outcomes: np.ndarray
    expected_reward: np.ndarray
    observations: list[Any]

    def users(self, rows: Any) -> Served:
        observations = [type(seen)(*(array[rows] for array in seen)) for seen in self.observations]
        return Served(
            self.states[:, rows], self.outcomes[:, rows], self.expected_reward[:, rows], observations
        )


def fresh_states(
    world: World, user_ids: Any, seed: int = 0, visit: int = 0, parallel: bool | None = None
) -> Any:
    """(states, observation) of users at the start of a visit."""
    users = np.asarray(user_ids, np.int64)
    states = world.empty_states(len(users))
    rows, visits = np.arange(len(users)), np.full(len(users), visit)
    observation = world.reset(seed, states, rows, users, visits, parallel=parallel)
    return states, observation


def carry_on(
    world: World, states: np.ndarray, steps: int, seed: int = 0, parallel: bool | None = None
) -> Served:
    """Step users for a fixed number of steps; those who left stay as they were."""
    history, outcomes, expected, observations = [states.copy()], [], [], []
    for _ in range(steps):
        slates, idle = slates_for(world, states), states["ended"].copy()
        expected.append(np.where(idle, 0.0, slate_truth(world, states, slates).expected_reward))
        outcome, observation = world.step(seed, states, slates, idle=idle, parallel=parallel)
        history.append(states.copy())
        outcomes.append(outcome)
        observations.append(observation)
    return Served(np.stack(history), np.stack(outcomes), np.stack(expected), observations)


def serve(
    world: World, user_ids: Any, steps: int, seed: int = 0, visit: int = 0, parallel: bool | None = None
):
    """Serve users from the start of a visit."""
    states, observation = fresh_states(world, user_ids, seed, visit, parallel)
    served = carry_on(world, states, steps, seed, parallel)
    served.observations.insert(0, observation)
    return served


def digest(*arrays: np.ndarray) -> str:
    """A hash of values, structured or plain; the padding between fields does not count."""
    total = hashlib.sha256()
    for array in arrays:
        parts = [array[name] for name in array.dtype.names] if array.dtype.names else [array]
        for part in parts:
            total.update(f"{part.dtype.str}{part.shape}".encode())
            total.update(np.ascontiguousarray(part).tobytes())
    return total.hexdigest()


def fingerprint(served: Served) -> str:
    flat = [array for observation in served.observations for array in observation]
    return digest(served.states, served.outcomes, served.expected_reward, *flat)


def replicas(world: World, state: np.ndarray, count: int) -> np.ndarray:
    """One user's state, forked ``count`` times under different ids: the same user with independent luck."""
    states = np.repeat(np.atleast_1d(state), count)
    states["user_id"] = np.arange(count) + 1_000_000
    return states


SEARCHABLE = {float: 1e3, int: 50}
SHAPE_FIELDS = {
    "num_candidates",
    "num_items",
    "embedding_dim",
    "num_topics",
    "organic_min",
    "organic_max",
    "organic_candidates",
}
# Beyond these the numbers leave what float32 holds; the tests of the bounds look at them.
TAMED = {"popularity_exponent": 4.0, "appeal_scale": 20.0, "conformity_mean": 5.0, "conformity_std": 5.0}


def section_fields(section: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Random values within bounds for the fields of a section that shape no array."""
    fields = {}
    for spec in dataclasses.fields(section):
        if "low" in spec.metadata and spec.name not in SHAPE_FIELDS:
            kind, limit = spec.metadata["type"], TAMED.get(spec.name, SEARCHABLE[spec.metadata["type"]])
            low, high = max(spec.metadata["low"], -limit), min(spec.metadata["high"], limit)
            fields[spec.name] = st.integers(int(low), int(high)) if kind is int else st.floats(low, high)
    return st.fixed_dictionaries({}, optional=fields)


@st.composite
def configs(
    draw: Any, slate_sizes: tuple[int, ...] = SLATE_SIZES, models: tuple[str, ...] = MODELS
) -> WorldConfig:
    """Random worlds of the shared shapes."""
    config = small_config(draw(st.sampled_from(slate_sizes)), draw(st.sampled_from(models)))
    parts = {spec.name: getattr(config, spec.name) for spec in dataclasses.fields(config)}
    changes = {
        name: draw(section_fields(part)) for name, part in parts.items() if dataclasses.is_dataclass(part)
    }
    if draw(st.booleans()):
        changes["run"]["run_hours"] = draw(st.floats(1.0, 1e3))
        changes["drift"] = draw(st.lists(st.builds(Change.from_dict, changes_of_drift()), max_size=3))
    else:
        changes["run"]["run_hours"] = changes["catalog"]["shelf_hours"] = 0.0
    return config.replace(**changes)


def changes_of_drift() -> st.SearchStrategy[dict[str, Any]]:
    kinds = st.sampled_from(["sudden", "gradual", "recurring"])
    return st.tuples(kinds, section_fields(Change)).map(
        lambda drawn: {"kind": drawn[0], **drawn[1], "segment": -1}
    )
