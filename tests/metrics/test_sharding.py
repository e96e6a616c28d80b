"""Any split of a log into shards of users, in any order of merging, gives the figures of the whole."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim_env.metrics import FullScorecard
from recsim_env.metrics.open_users import OpenUsers
from tests.metrics.impression_batches import NUM_SEGMENTS, NUM_TOPICS, full_batches

NUM_ITEMS, NUM_USERS = 30, 25
CATALOG = SimpleNamespace(
    topic=np.arange(NUM_ITEMS) % NUM_TOPICS,
    base_popularity=1.0 / np.arange(1, NUM_ITEMS + 1),
    num_topics=NUM_TOPICS,
)
LOG = list(full_batches(np.random.default_rng(11), num_items=NUM_ITEMS, num_users=NUM_USERS))


def empty_card():
    return FullScorecard(CATALOG, NUM_SEGMENTS, np.array([1.0, 0.6, 0.4]))


def card_of(batches):
    card = empty_card()
    for batch in batches:
        card.update(batch)
    return card


WHOLE = card_of(LOG)


@settings(max_examples=12)
@given(
    st.lists(st.integers(0, 3), min_size=NUM_USERS, max_size=NUM_USERS),
    st.permutations(range(4)),
    st.integers(1, 7),
)
def test_any_split_by_users_merges_to_the_same_figures(shard_of, order, rows_at_a_time):
    shard_of = np.array(shard_of)
    cards = []
    for shard in range(4):
        card = empty_card()
        for batch in LOG:
            part = batch.rows(shard_of[batch.user_id] == shard)
            for start in range(0, len(part.user_id), rows_at_a_time):
                place = np.arange(len(part.user_id))
                card.update(part.rows((place >= start) & (place < start + rows_at_a_time)))
        cards.append(card)
    merged = empty_card()
    for shard in order:
        merged.merge(cards[shard])
    assert merged.result() == pytest.approx(WHOLE.result(), rel=1e-12)
    for name, curve in merged.curves().items():
        np.testing.assert_allclose(curve, WHOLE.curves()[name], rtol=1e-12)
    np.testing.assert_allclose(merged.taste.by_segment(), WHOLE.taste.by_segment(), rtol=1e-12)
    for name, values in merged.segments.by_segment().items():
        np.testing.assert_allclose(values, WHOLE.segments.by_segment()[name], rtol=1e-12)


def test_nobody_is_remembered_once_everybody_has_left():
    assert [len(WHOLE.novelty.open.ids), len(WHOLE.discovery.open.ids), len(WHOLE.taste.open.ids)] == [
        0,
        0,
        0,
    ]


def test_every_figure_of_the_scorecard_is_there():
    figures = WHOLE.result()
    assert len(figures) == 36
    assert not [name for name, value in figures.items() if not np.isfinite(value)]


def test_users_whose_episode_goes_on_in_both_shards_are_named():
    user = LOG[2].user_id[0]  # still there at the third step
    first, second = (card_of([part.rows(part.user_id == user) for part in LOG[:end]]) for end in (1, 2))
    with pytest.raises(ValueError, match=f"user {user} is in the middle of an episode in both"):
        first.merge(second)


def test_logs_split_by_time_are_refused():
    """Whoever is in the middle of a visit where the second part begins would be taken for new."""
    with pytest.raises(ValueError, match=r"got user \d+ first at step 3; split logs by user, not by time"):
        card_of(LOG[3:])


def test_open_users_keep_their_rows_as_others_come_and_go():
    users = OpenUsers({"sum": ((2,), np.float64)})
    rows, fresh = users.rows(np.array([9, 4]), np.zeros(2))
    assert fresh.all()
    users.columns["sum"][rows] = [[9, 9], [4, 4]]
    rows, fresh = users.rows(np.array([4, 7, 9, 1]), np.array([3, 0, 3, 0]))
    np.testing.assert_array_equal(fresh, [False, True, False, True])
    np.testing.assert_array_equal(users.columns["sum"][rows, 0], [4, 0, 9, 0])
    users.close(np.array([4, 1]))
    np.testing.assert_array_equal(users.ids, [7, 9])
    np.testing.assert_array_equal(users.columns["sum"][:, 0], [0, 9])
    with pytest.raises(ValueError, match="several of 7"):
        users.rows(np.array([7, 7]), np.zeros(2))
