"""Neighbour methods on sessions small enough for a sheet of paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from agents import SKNN, ItemKNN, ItemKNNConfig, SKNNConfig
from agents.spec import ObservationSpec
from agents.supervised.neighbours import sessions_of

SPEC = ObservationSpec(num_items=5, history_length=3, slate_size=1, num_segments=1)
# Sessions {0, 1}, {0, 1, 2}, {2, 3}, {1, 2}; nobody clicks item 4.
SESSION = np.array([0, 0, 1, 1, 1, 2, 2, 3, 3])
ITEM = np.array([0, 1, 0, 1, 2, 2, 3, 1, 2])
BOTH = [ItemKNN, SKNN]


def learned(agent):
    agent.spec = SPEC
    agent.arrays = {
        "popularity": torch.tensor([4, 3, 2, 0, 1]),
        **agent.learn_sessions(SESSION, ITEM),
    }
    agent.dates = None
    return agent


def observation(*histories):
    rows = len(histories)
    items = np.full((rows, 3), 5)
    for row, history in enumerate(histories):
        items[row, 3 - len(history) :] = history
    return {
        "history_items": items,
        "history_events": (items < 5).astype(np.int64),
        "last_slate": np.full((rows, 1), 5),
        "last_events": np.zeros((rows, 1), np.int64),
        "segment": np.zeros(rows, np.int64),
        "session_step": np.zeros((rows, 1), np.int64),
    }


def test_item_similarities_by_hand():
    """Items are in 2, 3, 3, 1 sessions; 0 and 1 share two, 1 and 2 two, 0 and 2 one, 2 and 3 one."""
    agent = learned(ItemKNN(ItemKNNConfig(shrinkage=2.0)))
    expected = np.zeros((6, 5))
    expected[0, 1] = expected[1, 0] = 2 / (math.sqrt(6) + 2)
    expected[1, 2] = expected[2, 1] = 2 / (3 + 2)
    expected[0, 2] = expected[2, 0] = 1 / (math.sqrt(6) + 2)
    expected[2, 3] = expected[3, 2] = 1 / (math.sqrt(3) + 2)
    np.testing.assert_allclose(agent.arrays["similarity"], expected, rtol=1e-6)
    score = agent.votes(torch.tensor([[5, 0, 2], [5, 5, 5]]))
    np.testing.assert_allclose(score[0], expected[0] + expected[2], rtol=1e-6)
    assert (score[1] == 0).all()


def test_session_votes_by_hand():
    """For the history {1, 2}: similarities 1/2, 2/sqrt 6, 1/2, 1 to the four sessions."""
    by_two = learned(SKNN(SKNNConfig(num_neighbours=2)))
    root = 2 / math.sqrt(6)
    # {0, 1, 2} and {1, 2} vote.
    expected = [root, root + 1, root + 1, 0, 0]
    np.testing.assert_allclose(by_two.votes(torch.tensor([[5, 1, 2]]))[0], expected, rtol=1e-6)
    by_all = learned(SKNN())
    expected = [root + 0.5, root + 1.5, root + 1.5, 0.5, 0]
    np.testing.assert_allclose(by_all.votes(torch.tensor([[5, 1, 2]]))[0], expected, rtol=1e-6)
    # The last two sessions only: {2, 3} and {1, 2}.
    recent = learned(SKNN(SKNNConfig(num_sessions=2)))
    np.testing.assert_allclose(recent.votes(torch.tensor([[1, 5, 2]]))[0], [0, 1, 1.5, 0.5, 0], rtol=1e-6)


@pytest.mark.parametrize("kind", BOTH)
def test_the_history_comes_last_and_popularity_breaks_ties(kind):
    agent = learned(kind())
    # After {1, 2} item 0 is the closest new one; after {0, 1} item 2; strangers get the most popular item.
    action = agent.act(observation([1, 2], [0, 1], []), np.random.default_rng(0)).action
    assert action.tolist() == [0, 2, 0]


def test_sessions_hold_what_came_before_and_each_item_once(log):
    session, item = sessions_of(log, 60)
    assert len(set(zip(session.tolist(), item.tolist(), strict=True))) == len(session)
    assert session.max() + 1 == len(np.unique(log.user_id))
    first = log.user_id == log.user_id[0]
    before = log.history_items[0]
    held = set(before[before < 60].tolist()) | set(log.action[first & (log.events[:, 0] > 0), 0].tolist())
    assert set(item[session == 0].tolist()) == held


@pytest.mark.parametrize("kind", BOTH)
def test_they_fit_act_save_and_load(tmp_path, world, log, observation, kind):
    agent = kind().fit(log, world.public_catalog, seed=0)
    agent.save(tmp_path / "agent")
    loaded = kind.load(tmp_path / "agent")
    loaded.check_catalog(world.public_catalog)
    action, propensity = agent.act(observation, np.random.default_rng(0))
    assert loaded.act(observation, np.random.default_rng(0)).action.tolist() == action.tolist()
    assert propensity.tolist() == [1.0] * 50
    assert not (action[:, None] == observation["history_items"]).any()
    alone = agent.act({key: value[7:8] for key, value in observation.items()}, np.random.default_rng(0))
    assert alone.action.tolist() == [action[7]]


@pytest.mark.parametrize("kind", BOTH)
def test_slates_and_what_is_refused(tmp_path, slate_world, slate_log, slate_observation, observation, kind):
    agent = kind()
    with pytest.raises(RuntimeError, match="let the agent learn or load it first"):
        agent.act(observation, np.random.default_rng(0))
    with pytest.raises(RuntimeError, match="let the agent learn or load it first"):
        agent.save(tmp_path / "agent")
    agent.fit(slate_log, slate_world.public_catalog, seed=0)
    slates = agent.act(slate_observation, np.random.default_rng(0)).action
    assert all(len(set(slate)) == 10 for slate in slates.tolist())
    with pytest.raises(ValueError, match="last_slate"):
        agent.act(observation, np.random.default_rng(0))


def test_bad_settings_are_refused():
    large = ItemKNN()
    large.spec = ObservationSpec(20_001, 3, 1, 1)
    with pytest.raises(ValueError, match="at most 20000 items, got 20001"):
        large.learn_sessions(SESSION, ITEM)
    with pytest.raises(ValueError, match="shrinkage: expected a finite number of at least 0"):
        ItemKNNConfig(shrinkage=-1.0)
    with pytest.raises(ValueError, match="num_neighbours: expected at least 1"):
        SKNNConfig(num_neighbours=0)
    with pytest.raises(TypeError, match="config: expected SKNNConfig"):
        SKNN(ItemKNNConfig())
