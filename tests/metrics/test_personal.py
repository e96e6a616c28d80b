"""Novelty, discovery, taste and states by hand: two users, four items of two topics."""

import numpy as np
import pytest

from recsim_env.metrics import DiscoveryTally, NoveltyTally, StateTally, TasteTally, self_information
from tests.metrics.impression_batches import Batch, full_batches

TOPIC = np.array([0, 0, 1, 1])
PAD = 4
CLICK = 1


def batch(users, step, history, action, events, over=()):
    users = np.array(users)
    ended = np.isin(users, over)
    return Batch(
        user_id=users,
        step=np.full(len(users), step),
        action=np.array(action),
        events=np.array(events, np.uint8),
        reward=np.zeros(len(users)),
        revenue=np.zeros(len(users)),
        terminated=ended,
        truncated=np.zeros(len(users), bool),
        visit_ended=ended,
        observation={"history_items": np.array(history), "segment": np.where(users == 7, 0, 1)},
    )


def hand_log():
    """User 7 came with items 1 and 0 and stays two steps; user 9 came with nothing and stays one."""
    yield batch([7, 9], 0, [[1, 0], [PAD, PAD]], [[0, 2], [3, 2]], [[0, CLICK], [CLICK, CLICK]], over=[9])
    yield batch([7], 1, [[0, 2]], [[2, 3]], [[CLICK, 0]], over=[7])


def fed(tally, log=None):
    for part in hand_log() if log is None else log:
        tally.update(part)
    return tally


def test_user_novelty_by_hand():
    # User 7: item 0 known, 2 new, 2 seen, 3 new; user 9: both new.
    assert fed(NoveltyTally(4)).result() == {"user_novelty": 4 / 6}


def test_new_topics_by_hand():
    # User 7 knows topic 0 and discovers 1 at step 0; user 9 discovers topic 1 by two clicks, once.
    tally = fed(DiscoveryTally(TOPIC, 2))
    assert tally.result() == {"new_topics_per_user": 1.0}
    np.testing.assert_allclose(tally.curve(), [1.0, 1.0])


def test_popularity_lift_by_hand():
    # User 7 chose items of mean 0.45 and was shown 0.5, 0.05, 0.05, 0.05 on average; user 9 has no taste.
    tally = fed(TasteTally(np.array([0.5, 0.4, 0.05, 0.05]), 2))
    lift = (0.65 / 4) / 0.45 - 1
    assert tally.result() == pytest.approx({"popularity_lift": lift})
    np.testing.assert_allclose(tally.by_segment(), [lift, np.nan])


def test_popularity_lift_by_hand_when_only_the_first_position_is_examined():
    tally = fed(TasteTally(np.array([0.5, 0.4, 0.05, 0.05]), 2, np.array([1.0, 0.0])))
    assert tally.result() == pytest.approx({"popularity_lift": (0.55 / 2) / 0.45 - 1})


def test_no_taste_on_record_no_figure():
    cold = [batch([1], 0, [[PAD, PAD]], [[0]], [[0]], over=[1])]
    assert fed(TasteTally(np.ones(4), 2), cold).result() == {}


def test_states_by_hand():
    # (segment, topic before, topic last): (0, 0, 0), (1, none, none), (0, 0, 1) of 2 * 3 * 3.
    figures = fed(StateTally(TOPIC, 2, 2)).result()
    assert figures == pytest.approx({"state_coverage": 3 / 18, "state_entropy": np.log(3)})


def test_self_information_of_showing_by_popularity_is_its_entropy():
    popularity = np.array([4.0, 2.0, 1.0, 1.0])
    assert self_information(popularity, popularity) == pytest.approx(1.75)
    assert self_information(np.array([0, 0, 0, 5]), popularity) == pytest.approx(3.0)
    assert self_information(np.array([1, 0, 0, 0]), popularity) == pytest.approx(1.0)


def test_streamed_novelty_and_discovery_equal_their_definitions_over_whole_users():
    log = list(full_batches(np.random.default_rng(2), num_items=30, max_length=12))
    topic = np.arange(30) % 4
    new = impressions = found = 0
    for user in np.unique(np.concatenate([part.user_id for part in log])):
        rows = [part.rows(part.user_id == user) for part in log if (part.user_id == user).any()]
        history = set(rows[0].observation["history_items"][0].tolist())
        seen, known = set(history), {int(topic[item]) for item in history if item < 30}
        for row in rows:
            shown = row.action[0].tolist()
            new += sum(item not in seen for item in shown)
            impressions += len(shown)
            seen |= set(shown)
            clicked = {int(topic[i]) for i, e in zip(shown, row.events[0].tolist(), strict=True) if e & CLICK}
            found += len(clicked - known)
            known |= clicked
    assert fed(NoveltyTally(30), log).result()["user_novelty"] == pytest.approx(new / impressions)
    tally = fed(DiscoveryTally(topic, 4), log)
    assert tally.result()["new_topics_per_user"] == pytest.approx(found / tally.num_users)
