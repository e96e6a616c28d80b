"""Logs of worlds whose users return, that have a clock, or offer candidates: all that was seen is there."""

from __future__ import annotations

import numpy as np
import pytest

from agents import make_logging_policy
from recsim_env import World, get_scenario
from recsim_env.event_log import BLOCK_USERS, EventLog, simulate
from recsim_env.event_log.views import next_items, transitions

EXTRA = {
    "Lifetime-v0": ["hours_away"],
    "TwoStage-v0": ["candidates"],
    "FreshCatalog-v0": ["hour"],
    "Storefront-v0": [],
}


@pytest.fixture(scope="module", params=EXTRA)
def case(request, tmp_path_factory):
    """(scenario, world, log of 60 users with the probabilities of every choice)."""
    scenario = get_scenario(request.param)
    world = World(scenario.config)
    policy, origin = make_logging_policy("softmax:epsilon=0.1", world)
    folder = simulate(
        scenario.id,
        policy,
        60,
        tmp_path_factory.mktemp("log"),
        seed=1,
        probabilities=scenario.name != "FreshCatalog-v0",
        policy_origin=origin,
    )
    return scenario, world, EventLog.load(folder.path)


def test_everything_that_was_seen_is_logged(case):
    scenario, world, log = case
    assert set(EXTRA[scenario.name]) <= set(log.extra_observation)
    assert "session_step" in log.observation()
    for key, column in log.observation(slice(0, 3)).items():
        assert len(column) == 3, key
    assert log.num_users == 60
    np.testing.assert_array_equal(np.unique(log.user_id), world.users(60))
    assert log.missing == ()


def test_the_stated_probabilities_are_those_of_what_was_shown(case):
    scenario, world, log = case
    if scenario.name == "FreshCatalog-v0":  # how many items are on offer changes with the hour
        assert "item_prob" not in log.columns
        return
    assert log.item_prob.shape == (len(log), world.num_choices)
    if "candidates" in log.extra_observation:
        shown = log.extra_observation["candidates"] == log.action
        rows = shown.any(axis=1)  # what is not on offer is no candidate that the log could name
        number = np.argmax(shown, axis=1)
    else:
        rows, number = np.ones(len(log), bool), log.action[:, 0]
    stated = log.item_prob[np.arange(len(log)), number]
    np.testing.assert_allclose(stated[rows], log.propensity[rows], rtol=1e-5)
    assert rows.mean() > 0.9


def test_episodes_go_on_through_visits(case):
    scenario, _, log = case
    rows = transitions(log)
    over = rows.terminated | rows.truncated
    last = np.append(np.flatnonzero(np.diff(log.user_id)), len(log) - 1)
    np.testing.assert_array_equal(np.flatnonzero(over), last)
    boundary = np.flatnonzero(log.visit_ended & ~over)
    assert (len(boundary) > 0) == (scenario.name == "Lifetime-v0")
    if len(boundary):
        assert (rows.next_observation["session_step"][boundary] == 0).all()
        assert (rows.next_observation["hours_away"][boundary] > 0).all()
        assert (log.visit[boundary + 1] == log.visit[boundary] + 1).all()


def test_next_items_reach_over_visits_if_asked_to(case):
    scenario, _, log = case
    num_items = scenario.config.catalog.num_items
    by_visit, by_user = (next_items(log, 5, num_items, within) for within in ("visit", "user"))
    known = [(pairs.history_items < num_items).sum() for pairs in (by_visit, by_user)]
    assert (known[1] > known[0]) == (scenario.name == "Lifetime-v0")


def test_a_sample_of_a_run_is_spread_over_it(tmp_path):
    scenario = get_scenario("FreshCatalog-v0")
    policy, _ = make_logging_policy("uniform", World(scenario.config))
    seen = []
    users = BLOCK_USERS + 10
    folder = simulate(
        scenario.id,
        policy,
        users,
        tmp_path / "log",
        partition_users=BLOCK_USERS,
        progress=seen.append,
        max_steps=1,
    )
    log = folder.load()
    np.testing.assert_array_equal(np.unique(log.user_id), World(scenario.config).users(users))
    assert seen[-1].users == users == folder.num_users
    assert [entry.first_user for entry in folder.partitions] == [0, BLOCK_USERS]


def test_probabilities_of_a_catalog_that_changes_are_refused(tmp_path):
    scenario = get_scenario("FreshCatalog-v0")
    policy, _ = make_logging_policy("uniform", World(scenario.config))
    with pytest.raises(ValueError, match="expected a world whose items are always on offer"):
        simulate(scenario.id, policy, 10, tmp_path / "log", probabilities=True)


def test_a_log_of_some_hours_of_the_run(tmp_path):
    scenario = get_scenario("FreshCatalog-v0")
    world = World(scenario.config)
    policy = make_logging_policy("uniform", world).policy
    folder = simulate(scenario.id, policy, 20, tmp_path / "log", hours=(168.0, 336.0))
    log = EventLog.load(folder.path)
    np.testing.assert_array_equal(np.unique(log.user_id), world.users(20, hours=(168.0, 336.0)))
    assert log.extra_observation["hour"].min() == 168
    assert 320 < log.extra_observation["hour"].max() < 336
    with pytest.raises(ValueError, match=r"out: .* holds another log"):
        simulate(scenario.id, policy, 20, tmp_path / "log")
    with pytest.raises(ValueError, match="hours: expected 0 <= start"):
        simulate(scenario.id, policy, 20, tmp_path / "none", hours=(0.0, 721.0))
    assert not (tmp_path / "none").exists()
