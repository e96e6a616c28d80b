"""The sessions of next-item prediction: filters, splits and logs by hand, and a user's own files."""

import numpy as np
import pytest

from benchmarks.errors import UsageError
from benchmarks.experiments import next_item_data as sessions
from recsim_env.event_log.views import transitions
from tests.benchmarks.made_up_sessions import events_file, some_sessions


def test_filters_by_hand():
    session = np.array([7, 7, 7, 7, 3, 3, 3, 5, 5, 5])
    item = np.array([40, 41, 42, 40, 40, 42, 41, 41, 42, 99])
    time = np.array([50, 51, 52, 53, 10, 11, 12, 20, 21, 22])
    purchase = np.zeros(10, bool)
    purchase[3] = True
    with pytest.raises(UsageError, match="at least 10 sessions of 3 interactions or more to split, got 2"):
        sessions.prepared(session, item, purchase, time, least_count=3)
    many = np.tile(session, 5) + np.repeat(np.arange(5) * 10, 10)
    when = np.tile(time, 5) + np.repeat(np.arange(5) * 100, 10)
    data = sessions.prepared(many, np.tile(item, 5), np.tile(purchase, 5), when, least_count=6)
    assert data.num_items == 3, "item 99 has 5 interactions, the others 15"
    # Session 5 had three, one of them with item 99; session 3 began before session 7.
    assert data.session[:8].tolist() == [0, 0, 0, 1, 1, 1, 1, 2]
    assert data.item[:7].tolist() == [0, 2, 1, 0, 1, 2, 0]
    assert np.flatnonzero(data.purchase)[:2].tolist() == [6, 13]
    assert np.all(np.diff(data.session) >= 0)
    sampled = sessions.prepared(
        many, np.tile(item, 5), np.tile(purchase, 5), when, least_count=1, most_sessions=11
    )
    assert sampled.session[-1] == 10


def test_a_random_split_is_eight_to_one_to_one_by_session():
    data = some_sessions()
    parts = sessions.split(data, "random", 3)
    owners = [set(part.session.tolist()) for part in parts]
    assert [len(owner) for owner in owners] == [40, 5, 5]
    assert len(set.union(*owners)) == 50
    assert sum(len(part.item) for part in parts) == len(data.item)
    assert set(sessions.split(data, "random", 4)[2].session.tolist()) != owners[2]


def test_a_temporal_split_learns_from_nothing_that_comes_later():
    train, validation, test = sessions.split(some_sessions(), "temporal", 0)
    assert train.time.max() < validation.time.min()
    assert validation.time.max() < test.time.min()
    assert set(test.session.tolist()) == set(range(45, 50))
    assert len(train.item) < np.count_nonzero(some_sessions().session < 40), "no session ran over the cut"
    assert {part.num_items for part in (train, validation, test)} == {len(set(train.item.tolist()))}
    with pytest.raises(ValueError, match="expected 'random' or 'temporal', got 'by-user'"):
        sessions.split(some_sessions(), "by-user", 0)


def test_what_a_temporal_split_trains_on_does_not_depend_on_what_comes_later():
    """Other items in the last sessions change the random split's filter, not the temporal training part."""
    generator = np.random.default_rng(0)
    session, time = np.repeat(np.arange(40), 5), np.arange(200)
    item, purchase = generator.integers(0, 60, 200), np.zeros(200, bool)
    changed = np.where(session < 32, item, generator.integers(0, 60, 200))

    def training(items, kind):
        data = sessions.prepared(session, items, purchase, time, least_count=3, kind=kind)
        return data, sessions.split(data, kind, 0)

    whole, (train, _, test) = training(item, "temporal")
    _, (again, _, _) = training(changed, "temporal")
    for one, other in zip(train, again, strict=True):
        np.testing.assert_array_equal(one, other)
    first = np.bincount(item[session < 32], minlength=60)
    assert train.num_items == np.count_nonzero(first >= 3) < whole.num_items
    assert np.bincount(train.item).min() >= 3
    assert len(test.item) == np.count_nonzero(first[item[session >= 36]] >= 3)
    assert training(item, "random")[0].num_items != training(changed, "random")[0].num_items


def test_a_log_holds_what_came_before_and_what_it_earned():
    data = sessions.Interactions(
        np.array([0, 0, 0, 1]), np.array([2, 0, 1, 1]), np.array([False, True, False, False]), np.arange(4), 3
    )
    log = sessions.as_log(data)
    assert log.history_items[:, -2:].tolist() == [[3, 3], [3, 2], [2, 0], [3, 3]]
    assert log.history_events[:, -1].tolist() == [0, 1, 5, 0]
    assert log.last_slate[:, 0].tolist() == [3, 2, 0, 3]
    assert log.reward.tolist() == pytest.approx([0.2, 1.0, 0.2, 0.2])
    rows = transitions(log)
    assert rows.terminated.tolist() == [False, False, True, True]
    following = {key: column[0].tolist() for key, column in rows.next_observation.items()}
    seen = {key: column[1].tolist() for key, column in rows.observation.items()}
    assert following == seen


def test_a_catalog_knows_the_training_sessions_only():
    train = sessions.Interactions(
        np.array([0, 0, 0]), np.array([1, 1, 2]), np.zeros(3, bool), np.arange(3), 4
    )
    catalog = sessions.public_catalog(train)
    assert catalog.base_popularity.tolist() == pytest.approx([1 / 7, 3 / 7, 2 / 7, 1 / 7])


def test_retailrocket_as_in_the_papers(tmp_path):
    path = events_file(tmp_path)
    name, by_split = sessions.read_data(path, None)
    data = by_split["random"]
    assert name == "RetailRocket"
    assert data.num_items == 5, "items that one visitor viewed are gone, and so are transactions"
    assert data.session[-1] == 59
    assert np.all(np.diff(data.item)[np.diff(data.session) == 0] % 5 == 1)
    assert data.purchase.mean() == pytest.approx(0.3, abs=0.05)
    assert sessions.read_data(tmp_path, None)[1]["random"].item.tolist() == data.item.tolist()
    assert by_split["temporal"].num_items > 5, "rare ones go when the training sessions are known"
    sessions.save(tmp_path / "kept.npz", data)
    again = sessions.load(tmp_path / "kept.npz")
    assert all(np.array_equal(a, b) for a, b in zip(data, again, strict=True))


def test_yoochoose_as_in_the_papers(tmp_path):
    clicks, buys = [], []
    for session in range(1, 13):
        for step in range(3 if session < 12 else 2):
            clicks.append(f"{session},2014-04-07T10:{session:02}:{step:02}.000Z,{200 + step + session},0\n")
        buys.append(f"{session},2014-04-07T10:{session:02}:30.000Z,{201 + session},1046,1\n")
    (tmp_path / "yoochoose-clicks.dat").write_text("".join(clicks))
    with pytest.raises(UsageError, match=r"expected yoochoose-buys\.dat beside"):
        sessions.read_data(tmp_path, None)
    (tmp_path / "yoochoose-buys.dat").write_text("".join(buys[:11]))
    name, by_split = sessions.read_data(tmp_path, None)
    data = by_split["random"]
    assert name == "RC15"
    assert data.session[-1] == 10, "the session of two is gone"
    assert data.purchase.tolist() == [False, False, False, True] * 11
    assert data.num_items == 13, "items are not filtered"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nothing", "is no file or folder"),
        (lambda folder: folder, "has neither"),
        (lambda folder: (folder / "other.csv").write_text("a,b\n1,2\n") and folder / "other.csv", "header"),
    ],
)
def test_other_data_are_refused_by_name(tmp_path, make, message):
    with pytest.raises(UsageError, match=message):
        sessions.read_data(make(tmp_path), None)
