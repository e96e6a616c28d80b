"""What a config can change in a world: named quantities as digests, and which is computed from which."""

from functools import cache

import numpy as np

from recsim_env import World, WorldConfig
from recsim_env.truth import slate_truth
from tests.small_worlds import NUM_ITEMS, carry_on, digest, fresh_states, slates_for, world_of

USERS = np.arange(400)

FOLLOWS = {
    "topic_centres": {"embedding", "taste"},
    "topic": {"embedding", "click_prob", "next_satiation"},
    "embedding": {
        "click_prob",
        "like_prob",
        "purchase_prob",
        "organic_items",
        "organic_events",
        "next_interest",
    },
    "quality": {"appeal", "like_prob", "purchase_prob", "organic_events", "next_satisfaction"},
    "appeal": {"click_prob", "organic_items"},
    "log_popularity": {"click_prob", "organic_items"},
    "price": {"purchase_prob", "organic_events", "revenue", "reward", "expected_reward"},
    "segment": {"taste"},
    "taste": {"interest"},
    "interest": {"organic_items", "organic_events"},
    "conformity": {"organic_items"},
    "price_sensitivity": {"organic_events"},
    "organic_count": {"organic_items", "organic_events"},
    "organic_items": {"organic_events"},
    "click_prob": {"clicks", "expected_reward"},
    "like_prob": {"likes", "purchase_prob", "expected_reward"},
    "purchase_prob": {"purchases", "expected_reward"},
    "clicks": {
        "likes",
        "purchases",
        "reward",
        "next_interest",
        "next_satiation",
        "next_satisfaction",
        "next_patience",
    },
    "likes": {"purchases", "reward", "next_interest"},
    "purchases": {"revenue", "reward", "next_interest"},
    "next_satisfaction": {"next_patience", "later_satisfaction"},
    "next_satiation": {"later_satiation"},
    "hour": {"on_offer", "appeal_shift", "taste"},
    "born": {"on_offer"},
    "on_offer": {"organic_count", "organic_items", "organic_events", "click_prob", "next_satiation"},
    "later_appeal": {"click_prob"},
    "appeal_shift": {"click_prob", "organic_items"},
    "churned": {"too_late", "gap", "later_satiation", "later_satisfaction"},
    "gap": {"too_late", "later_satiation", "later_satisfaction"},
    "too_late": {"gap", "later_satiation", "later_satisfaction"},
}
"""Quantity -> what is computed from it."""


def closure(quantities: set[str]) -> set[str]:
    reached = set(quantities)
    while more := set().union(*(FOLLOWS.get(name, set()) for name in reached)) - reached:
        reached |= more
    return reached


def probe_catalog(world: World) -> dict[str, str]:
    """The first items, so that a larger catalog can be compared."""
    items = world.items[:NUM_ITEMS]
    names = ("embedding", "topic", "quality", "appeal", "log_popularity", "price", "later_appeal", "born")
    return {"topic_centres": digest(world.topic_centres), **{name: digest(items[name]) for name in names}}


def probe_start(world: World) -> dict[str, str]:
    states, _ = fresh_states(world, USERS)
    names = (
        "segment",
        "taste",
        "conformity",
        "price_sensitivity",
        "patience",
        "interest",
        "satisfaction",
        "satiation",
        "hour",
        "appeal_shift",
    )
    there = states["history_items"] < world.config.catalog.num_items
    organic = {
        "organic_count": digest(there.sum(axis=1)),
        "organic_items": digest(np.where(there, states["history_items"], -1)),
        "organic_events": digest(states["history_events"]),
    }
    there = {"on_offer": digest(world.public_catalog.on_offer(states["hour"] // 1)[:, :NUM_ITEMS])}
    offers = {"offers": digest(world.offer(0, states))}
    return {**{name: digest(states[name]) for name in names}, **organic, **there, **offers}


@cache
def baseline_states(config: WorldConfig) -> np.ndarray:
    world = world_of(config)
    return carry_on(world, fresh_states(world, USERS)[0], steps=2).states[-1]


def probe_returns(world: World, base: WorldConfig) -> dict[str, str]:
    """What becomes of the users of the unchanged world when their session ends with the same slates."""
    states = baseline_states(base).copy()
    states["patience"] = 1e-3
    outcomes, _ = world.step(0, states, slates_for(world_of(base), states))
    here = ~states["ended"]
    return {
        "churned": digest(outcomes["terminated"]),
        "too_late": digest(outcomes["truncated"]),
        "gap": digest(states["hour"][here], states["hours_away"][here]),
        "later_satiation": digest(states["satiation"][here]),
        "later_satisfaction": digest(states["satisfaction"][here]),
    }


def probe_answers(world: World, base: WorldConfig) -> dict[str, str]:
    """What the users of the unchanged world, in the middle of their sessions, answer to the same slates."""
    states = baseline_states(base).copy()
    states["patience"] += 100  # nobody leaves
    slates = slates_for(world_of(base), states)
    truth = slate_truth(world, states, slates)
    outcomes, _ = world.step(0, states, slates)
    events = states["last_events"]
    return {
        **{name: digest(getattr(truth, name)) for name in truth._fields},
        **{name: digest(events & bit) for name, bit in (("clicks", 1), ("likes", 2), ("purchases", 4))},
        **{name: digest(outcomes[name]) for name in ("reward", "revenue")},
        **{
            f"next_{name}": digest(states[name])
            for name in ("interest", "satiation", "satisfaction", "patience")
        },
        "next_step": digest(states["step"], states["last_slate"], states["taste"], states["segment"]),
    }


def probe(world: World, base: WorldConfig) -> dict[str, str]:
    parts = probe_catalog(world), probe_start(world), probe_answers(world, base), probe_returns(world, base)
    return {name: found for part in parts for name, found in part.items()}


@cache
def baseline(base: WorldConfig) -> dict[str, str]:
    return probe(world_of(base), base)
