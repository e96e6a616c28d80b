"""Reported figures: what their intervals cannot leave, and figures that only some seeds have."""

import csv

import pytest

from agents import RandomPolicy
from benchmarks.experiment import serve_held_out
from benchmarks.rows import BOUNDS, bounds_of, lookup
from benchmarks.saving import write_csv
from benchmarks.summary import REFERENCES, seed_rows, summary_curves, summary_rows
from recsim_env import World, get_scenario

ANY_SIZE = {"reward_per_user", "reward_per_step", "worst_segment_reward", "popularity_lift"} | {
    f"regret_{ending}" for ending in ("per_user", "per_step", "share")
}
"""Rewards and regrets may be negative, lifts too."""


@pytest.mark.parametrize("scenario", ["Tiny-v0", "Lifetime-v0", "StorefrontSlate-v0"])
def test_every_metric_is_within_what_it_cannot_leave(scenario):
    """Those of sessions, of users who return, and of slates by examination."""
    entry = get_scenario(scenario)
    world = World(entry.config)
    catalog = world.public_catalog
    policy = RandomPolicy(len(catalog.topic), entry.config.slate_size, catalog)
    card = serve_held_out(world, policy, world.users(8), 0, 10, lambda done: None, with_regret=True)
    found = card.result()
    assert {name.removeprefix("examined_") for name in found} - ANY_SIZE <= set(BOUNDS)
    for name, figure in found.items():
        low, high = bounds_of(name)
        assert low <= figure <= high, name


def scores_of(gaps):
    """Two seeds of each reference; in the second, which is longer, metrics of `gaps` are missing."""
    curves = {"cumulative_reward": [1.0], "new_topics": [0.5], "survival": [1.0]}
    longer = {name: [*values, 2 * values[0]] for name, values in curves.items()}
    scores = {}
    for place, agent in enumerate(REFERENCES):
        metrics = {"reward_per_user": float(place), "segment_reward_parity": 0.5}
        less = {name: value for name, value in metrics.items() if name not in gaps}
        scores[agent] = [
            {"metrics": of_seed, "curves": by_step, "seconds": {"train": 0.0}}
            for of_seed, by_step in ((metrics, curves), (less, longer))
        ]
    return scores


def test_a_figure_that_a_seed_lacks_is_in_no_row_and_empty_in_the_csv(tmp_path):
    scores = scores_of({"segment_reward_parity"})
    rows = lookup(summary_rows(scores, "Storefront-v0"))
    write_csv(tmp_path / "per_seed.csv", seed_rows(scores, [0, 1]))
    assert ("random", "reward_per_user") in rows
    assert ("random", "segment_reward_parity") not in rows
    assert ("random", "segment_reward_parity") in lookup(summary_rows(scores_of(()), "Storefront-v0"))
    with open(tmp_path / "per_seed.csv", newline="") as file:
        of_random = [row for row in csv.DictReader(file) if row["agent"] == "random"]
    assert [row["segment_reward_parity"] for row in of_random] == ["0.5", ""]


def test_topics_stay_discovered_after_the_last_user_has_left():
    mean = summary_curves(scores_of(()))["random"]["new_topics"]["mean"]
    assert mean == [0.5, (0.5 + 1.0) / 2]
