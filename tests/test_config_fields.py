"""Every field of every section changes what it says and nothing else.

A field names the quantities that it enters directly. Those must change with it, what is computed from them
may, and everything else must stay bit for bit. Answers are probed from the states of the unchanged world.
"""

import dataclasses

import numpy as np
import pytest

from recsim_env import World, WorldConfig
from recsim_env.config import Change
from tests.config_probes import FOLLOWS, USERS, baseline, closure, probe, probe_catalog, probe_start
from tests.small_worlds import NUM_ITEMS, fresh_states, small_config, world_of

FIELDS = {
    "catalog.seed": (
        1,
        {
            "topic_centres",
            "topic",
            "embedding",
            "quality",
            "appeal",
            "price",
            "log_popularity",
            "later_appeal",
        },
    ),
    "catalog.num_items": (90, {"log_popularity", "organic_items"}),
    "catalog.topic_spread": (1.0, {"embedding"}),
    "catalog.popularity_exponent": (1.5, {"log_popularity"}),
    "catalog.appeal_scale": (1.0, {"appeal", "later_appeal"}),
    "catalog.quality_appeal_correlation": (0.5, {"appeal", "later_appeal"}),
    "catalog.topic_quality_share": (0.5, {"quality"}),
    "catalog.price_median": (30.0, {"price"}),
    "catalog.price_log_std": (0.4, {"price"}),
    "catalog.shelf_hours": (20.0, {"born"}),
    "candidates.num_candidates": (9, {"offers"}),
    "candidates.candidate_draws": (4, {"offers"}),
    "population.num_segments": (2, {"segment"}),
    "population.segment_strength": (0.9, {"taste"}),
    "population.second_topic_weight": (0.2, {"taste"}),
    "population.taste_noise": (0.8, {"taste"}),
    "population.interest_noise": (0.5, {"interest"}),
    "population.conformity_mean": (0.6, {"conformity"}),
    "population.conformity_std": (0.3, {"conformity"}),
    "population.price_sensitivity_mean": (0.3, {"price_sensitivity"}),
    "population.price_sensitivity_std": (0.5, {"price_sensitivity"}),
    "population.cold_share": (0.5, {"organic_count"}),
    "population.organic_min": (4, {"organic_count"}),
    "population.organic_max": (4, {"organic_count"}),
    "population.organic_candidates": (8, {"organic_items"}),
    "choice.model": ("cascade", {"click_prob"}),
    "choice.affinity_weight": (5.0, {"click_prob", "organic_items"}),
    "choice.no_click_utility": (2.0, {"click_prob"}),
    "choice.position_exponent": (1.5, {"click_prob", "next_satiation"}),
    "choice.freshness_weight": (3.0, {"click_prob", "organic_items"}),
    "choice.freshness_half_life": (3.0, {"click_prob", "organic_items"}),
    "funnel.like_bias": (0.0, {"like_prob", "organic_events"}),
    "funnel.like_match": (1.0, {"like_prob", "organic_events"}),
    "funnel.like_quality": (3.0, {"like_prob", "organic_events"}),
    "funnel.purchase_bias": (-1.0, {"purchase_prob", "organic_events"}),
    "funnel.purchase_match": (3.0, {"purchase_prob", "organic_events"}),
    "funnel.purchase_quality": (3.0, {"purchase_prob", "organic_events"}),
    "funnel.purchase_like": (3.0, {"purchase_prob", "organic_events"}),
    "preferences.satiation_weight": (5.0, {"click_prob"}),
    "preferences.satiation_recovery": (0.5, {"next_satiation"}),
    "preferences.satiation_shown": (0.3, {"next_satiation"}),
    "preferences.satiation_consumed": (0.5, {"next_satiation"}),
    "preferences.pull_click": (0.3, {"next_interest"}),
    "preferences.pull_like": (0.3, {"next_interest"}),
    "preferences.pull_purchase": (0.3, {"next_interest"}),
    "preferences.taste_pull": (0.3, {"next_interest"}),
    "preferences.drift_scale": (0.2, {"next_interest"}),
    "preferences.satisfaction_initial": (0.9, {"satisfaction"}),
    "preferences.satisfaction_memory": (0.2, {"next_satisfaction"}),
    "preferences.satisfaction_weight": (2.0, {"click_prob"}),
    "session.patience_scale": (3.0, {"patience"}),
    "session.patience_shape": (1.0, {"patience"}),
    "session.step_cost": (2.0, {"next_patience"}),
    "session.refund": (0.1, {"next_patience"}),
    "session.boredom_cost": (2.0, {"next_patience"}),
    "returns.lifetime_hours": (30.0, {"too_late"}),
    "returns.gap_median": (5.0, {"gap"}),
    "returns.gap_log_std": (0.3, {"gap"}),
    "returns.gap_satisfaction": (0.0, {"gap"}),
    "returns.churn_bias": (1.0, {"churned"}),
    "returns.churn_satisfaction": (30.0, {"churned"}),
    "returns.satiation_half_life": (3.0, {"later_satiation"}),
    "returns.satisfaction_kept": (0.5, {"later_satisfaction"}),
    "run.run_hours": (200.0, {"hour", "born"}),
    "run.run_users": (300, {"hour"}),
    "drift.kind": ("sudden", {"taste", "appeal_shift"}),
    "drift.start": (30.0, {"taste", "appeal_shift"}),
    "drift.length": (10.0, {"taste", "appeal_shift"}),
    "drift.topic_shift": (2, {"taste"}),
    "drift.taste_share": (0.2, {"taste"}),
    "drift.appeal_share": (0.2, {"appeal_shift"}),
    "drift.segment": (1, {"taste", "appeal_shift"}),
    "reward.click": (2.0, {"reward", "expected_reward"}),
    "reward.like": (2.0, {"reward", "expected_reward"}),
    "reward.purchase": (2.0, {"reward", "expected_reward"}),
    "reward.price_exponent": (1.0, {"reward", "expected_reward"}),
}
"""Field -> another value, and the quantities it enters directly."""

CHANGE = {"kind": "gradual", "start": 10.0, "length": 50.0, "taste_share": 0.8, "appeal_share": 0.6}
BASES = {
    "returns": {"returns": {"lifetime_hours": 60.0, "gap_median": 20.0}},
    "run": {
        "catalog": {"shelf_hours": 50.0},
        "choice": {"freshness_weight": 1.0},
        "run": {"run_hours": 100.0, "run_users": 400},
        "drift": (Change.from_dict(CHANGE),),
    },
    "offer": {"candidates": {"num_candidates": 6}},
}
"""What the world must have for some fields to matter, by section or by field."""

BASE_OF = {
    "returns": "returns",
    "candidates": "offer",
    **dict.fromkeys(
        ("run", "drift", "catalog.shelf_hours", "choice.freshness_weight", "choice.freshness_half_life"),
        "run",
    ),
}

OTHER_DRAWS = {"population.organic_max", "population.organic_candidates", "candidates.candidate_draws"}
"""Fields that change how many blocks a visit draws, and so need a kernel of their own."""

OWN_DRAWS = {"quality", "appeal", "later_appeal", "price", "log_popularity"}
"""What the sizes of the catalog do not change in an item."""

SIZES = {"catalog.embedding_dim", "catalog.num_topics", "slate_size", "history_length"}
"""Fields that give arrays another shape; see the tests at the end."""


def base_config(name: str) -> WorldConfig:
    """The world in which a field is changed."""
    base = BASE_OF.get(name, BASE_OF.get(name.partition(".")[0], ""))
    return small_config(**BASES.get(base, {}))


def changed_config(name: str, value: object) -> WorldConfig:
    section, _, field = name.rpartition(".")
    if section == "drift":
        return base_config(name).replace(drift=[CHANGE | {field: value}])
    return base_config(name).replace(**({section: {field: value}} if section else {field: value}))


def test_the_walk_covers_every_field():
    names = set()
    for spec in dataclasses.fields(WorldConfig):
        if "low" in spec.metadata:
            names.add(spec.name)
        else:
            kind = Change if spec.name == "drift" else spec.default_factory
            names |= {f"{spec.name}.{field.name}" for field in dataclasses.fields(kind)}
    assert names == set(FIELDS) | SIZES
    assert closure(set(FOLLOWS)) <= set(baseline(small_config()))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in OTHER_DRAWS else name for name in FIELDS]
)
def test_a_field_changes_what_it_says_and_nothing_else(name):
    value, direct = FIELDS[name]
    base, config = base_config(name), changed_config(name, value)
    assert config != base
    after, before = probe(world_of(config), base), baseline(base)
    moved = {quantity for quantity in before if after[quantity] != before[quantity]}
    assert direct <= moved, f"{name} is accepted and ignored by {sorted(direct - moved)}"
    assert moved <= closure(direct), f"{name} also changes {sorted(moved - closure(direct))}"


def test_the_same_config_gives_the_same_world():
    assert probe(World(small_config()), small_config()) == baseline(small_config())


@pytest.mark.parametrize(
    ("name", "value", "same"),
    [
        ("catalog.embedding_dim", 12, {"topic", "born", *OWN_DRAWS}),
        ("catalog.num_topics", 6, {"born", *OWN_DRAWS}),
    ],
)
def test_sizes_of_the_catalog(name, value, same):
    world = World(changed_config(name, value))
    after, before = probe_catalog(world), probe_catalog(world_of(small_config()))
    assert {quantity for quantity in before if after[quantity] == before[quantity]} == same
    dim, topics = world.config.catalog.embedding_dim, world.config.catalog.num_topics
    assert world.items["embedding"].shape == (NUM_ITEMS, dim)
    assert world.topic_centres.shape == (topics, dim)
    assert world.items["topic"].max() == topics - 1
    assert world.public_catalog.num_topics == topics
    assert world.state_dtype["interest"].shape == world.state_dtype["taste"].shape == (dim,)
    assert world.state_dtype["satiation"].shape == (topics,)


def test_the_size_of_the_slate():
    """One position instead of four: the same users with the same luck, shown less."""
    one, four = (world_of(small_config(slate_size)) for slate_size in (1, 4))
    assert probe_catalog(one) == probe_catalog(four)
    assert probe_start(one) == probe_start(four)
    assert one.state_dtype["last_slate"].shape == (1,)
    states, _ = fresh_states(one, USERS)
    wide, _ = fresh_states(four, USERS)
    first, _ = one.step(0, states, np.full((len(USERS), 1), 7))
    blanks, _ = four.step(0, wide, np.full((len(USERS), 4), 7))  # three repeats: blank positions
    np.testing.assert_array_equal(states["last_events"][:, 0], wide["last_events"][:, 0])
    np.testing.assert_array_equal(first["reward"], blanks["reward"])
    np.testing.assert_array_equal(states["interest"], wide["interest"])


def test_the_length_of_the_history():
    """Only how much is remembered changes, so the last items agree."""
    dtype = World(small_config().replace(history_length=3)).state_dtype
    assert dtype["history_items"].shape == dtype["history_events"].shape == (3,)
