"""Reward rates on a log small enough for a sheet of paper."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from agents import RewardRates, RewardRatesConfig
from agents.spec import ObservationSpec
from recsim_env.catalog import PublicCatalog

CATALOG = PublicCatalog(np.array([0, 0, 1, 1]), np.ones(4, np.float32), np.full(4, 0.25), 2)
SPEC = ObservationSpec(num_items=4, history_length=2, slate_size=1, num_segments=2)


def log(segment, item, reward):
    return SimpleNamespace(
        action=np.array(item, np.int32)[:, None],
        events=(np.array(reward) > 0).astype(np.uint8)[:, None],
        reward=np.array(reward, np.float32),
        segment=np.array(segment, np.int16),
    )


def fitted(**config):
    """Segment 0 sees items 0, 0, 2, of which one 0 earns 1; segment 1 sees 2, 2, 2, 3: 2, 1/2, 0, 0."""
    made = log([0, 0, 0, 1, 1, 1, 1], [0, 0, 2, 2, 2, 2, 3], [1, 0, 0, 2, 0.5, 0, 0])
    return RewardRates(RewardRatesConfig(**config)).fit(made, CATALOG, seed=0, spec=SPEC)


def observation(segment, *histories):
    items = np.array(histories)
    return {
        "history_items": items,
        "history_events": (items < 4).astype(np.int64),
        "last_slate": np.full((len(items), 1), 4),
        "last_events": np.zeros((len(items), 1), np.int64),
        "segment": np.array(segment),
        "session_step": np.zeros((len(items), 1), np.int64),
    }


def test_rates_by_hand():
    """Overall 3.5 / 7 = 1/2; with two impressions at 1/2 added to every count."""
    agent = fitted(prior_impressions=2.0)
    of_item = [(1 + 1) / (2 + 2), 1 / 2, (2.5 + 1) / (4 + 2), 1 / (1 + 2)]
    np.testing.assert_allclose(agent.item_utility, np.log(np.array(of_item) / 0.5))
    of_cell = [[(1 + 1) / (2 + 2), 1 / (1 + 2)], [1 / 2, (2.5 + 1) / (4 + 2)]]
    np.testing.assert_allclose(agent.segment_utility, np.log(np.array(of_cell) / 0.5))
    nearly_nothing = fitted(prior_impressions=1e-6)  # item 3 has earned nothing: a hundredth of the mean
    assert nearly_nothing.item_utility[3] == pytest.approx(math.log(1 / 100))


def test_the_three_parts_of_utility():
    empty, topic_one = [4, 4], [4, 3]
    act = lambda agent, *seen: agent.act(observation(*seen), np.random.default_rng(0)).action.tolist()  # noqa: E731
    by_item = fitted(prior_impressions=0.5, segment_weight=0.0, topic_weight=0.0)
    assert act(by_item, [0, 1], empty, topic_one) == [2, 2]  # rates 1.25 / 2.5, 1 / 2, 2.75 / 4.5, 0.25 / 1.5
    by_segment = fitted(prior_impressions=0.5, item_weight=0.0, topic_weight=0.0)
    assert act(by_segment, [0, 1], empty, empty) == [0, 2]
    by_history = fitted(item_weight=0.0, segment_weight=0.0, topic_weight=1.0)
    assert act(by_history, [0, 1], empty, topic_one) == [0, 2]
    # Topics of segment 0: 1.25 / 2.5 and 0.25 / 1.5 over 1/2; item 2 earns log(2.75 / 4.5 / 0.5) more.
    gap = math.log(3) - math.log(2.75 / 4.5 / 0.5)
    for weight, expected in ((gap - 0.01, 0), (gap + 0.01, 2)):
        assert act(fitted(prior_impressions=0.5, topic_weight=weight), [0], topic_one) == [expected]


def test_bad_settings_and_logs_are_named():
    with pytest.raises(ValueError, match="prior_impressions: expected above 0, got 0"):
        RewardRatesConfig(prior_impressions=0.0)
    with pytest.raises(ValueError, match="item_weight: expected a finite number, got nan"):
        RewardRatesConfig(item_weight=math.nan)
    with pytest.raises(ValueError, match="log: expected at least one decision, got none"):
        RewardRates().fit(log([], [], []), CATALOG, seed=0, spec=SPEC)
    with pytest.raises(ValueError, match=r"log\.reward: expected a mean above 0, got 0"):
        RewardRates().fit(log([0], [0], [0]), CATALOG, seed=0, spec=SPEC)
    with pytest.raises(RuntimeError, match="let the agent learn or load it first"):
        RewardRates().act(observation([0], [4, 4]), np.random.default_rng(0))
