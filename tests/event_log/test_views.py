"""Views of a log, on logs worked out by hand and against plain loops over a simulated one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsim_env.event_log import EventLog, MissingColumnError, collect_log
from recsim_env.event_log.views import (
    dense_items,
    next_items,
    positives,
    transitions,
    with_ends,
    with_history,
    with_rewards,
)
from tests.event_log.tilted import Tilted
from tests.small_worlds import HISTORY, NUM_ITEMS, small_world

MAX_STEPS = 6


@pytest.fixture(scope="module")
def log():
    return collect_log(small_world(4, "position"), Tilted(), 2_000, seed=1, max_steps=MAX_STEPS)


def shop(user, visit, item, events):
    """A log of single items as a shop has it, by column."""
    step = [
        sum(1 for other in range(row) if (user[other], visit[other]) == (user[row], visit[row]))
        for row in range(len(user))
    ]
    return EventLog(
        user_id=np.array(user), visit=np.array(visit), step=np.array(step),
        action=np.array(item)[:, None], events=np.array(events)[:, None], policy="",
    )  # fmt: skip


def by_hand(log, length, padding, within):
    """(history items, history events) before every interaction, by a loop."""
    rows = []
    seen = {}
    for row in range(len(log)):
        key = int(log.user_id[row]) if within == "user" else (int(log.user_id[row]), int(log.visit[row]))
        past = seen.setdefault(key, [])
        for item, mask in zip(log.action[row].tolist(), log.events[row].tolist(), strict=True):
            if mask:
                padded = [(padding, 0)] * length + past
                rows.append(
                    ([i for i, _ in padded[-length:]], [m for _, m in padded[-length:]], item, mask, row)
                )
                past.append((item, mask))
    return rows


def test_transitions_follow_one_another(log):
    rows = transitions(log)
    goes_on = np.flatnonzero(~(rows.terminated | rows.truncated))
    for key, column in rows.observation.items():
        np.testing.assert_array_equal(rows.next_observation[key][goes_on], column[goes_on + 1])
    np.testing.assert_array_equal(rows.terminated, log.terminated)
    np.testing.assert_array_equal(rows.truncated, log.truncated)
    np.testing.assert_array_equal(rows.propensity, log.propensity)
    part = transitions(log, np.array([7, 3]))
    np.testing.assert_array_equal(part.action, log.action[[7, 3]])
    np.testing.assert_array_equal(
        part.next_observation["history_items"], rows.next_observation["history_items"][[7, 3]]
    )


def test_a_log_that_was_cut_is_truncated_there(log):
    inner = int(np.flatnonzero(log.has_next)[3])
    cut = transitions(log.select(slice(0, inner + 1)))
    assert cut.truncated[-1]
    assert not cut.terminated[-1]


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 4), st.sampled_from([0, 1, 3, 4])),
        max_size=25,
    ),
    st.sampled_from(["user", "visit"]),
    st.integers(1, 4),
)
def test_histories_are_what_stands_before(rows, within, length):
    user, visit, item, events = (
        (list(column) for column in zip(*sorted(rows, key=lambda r: r[:2]), strict=True))
        if rows
        else ([], [], [], [])
    )
    if not rows:
        return
    log = shop(user, visit, item, events)
    found = next_items(log, length, 99, within)
    expected = by_hand(log, length, 99, within)
    assert list(zip(*(column.tolist() for column in found), strict=True)) == expected
    full = with_history(log, length, 99, within)
    for items, masks, _, _, row in expected:
        assert full.history_items[row].tolist() == items
        assert full.history_events[row].tolist() == masks


def test_next_items_of_slates_agree_with_a_loop(log):
    for within in ("user", "visit"):
        found = next_items(log, HISTORY, NUM_ITEMS, within)
        expected = by_hand(log, HISTORY, NUM_ITEMS, within)
        assert list(zip(*(column.tolist() for column in found), strict=True)) == expected


def test_a_derived_history_is_the_observed_one_for_users_without_a_past(log):
    """The environment's own history begins with what the user did before; behind it both must agree."""
    derived = with_history(log, HISTORY, NUM_ITEMS)
    own = derived.history_items != NUM_ITEMS
    np.testing.assert_array_equal(derived.history_items[own], log.history_items[own])
    np.testing.assert_array_equal(derived.history_events[own], log.history_events[own])
    assert own.any()


def test_positives_are_what_a_click_log_has(log):
    view = positives(log)
    row, position = np.nonzero(log.events)
    np.testing.assert_array_equal(view.action[:, 0], log.action[row, position])
    np.testing.assert_array_equal(view.events[:, 0], log.events[row, position])
    np.testing.assert_array_equal(view.price[:, 0], log.price[row, position])
    assert view.slate_size == 1
    for name in ("propensity", "reward", "terminated", "history_items", "last_slate"):
        assert name in view.missing
    assert view.step[view.user_id == view.user_id[0]].tolist() == list(
        range((view.user_id == view.user_id[0]).sum())
    )
    with pytest.raises(MissingColumnError, match="does not record it"):
        transitions(view)


def test_a_click_log_becomes_transitions_by_stated_assumptions():
    log = shop([1, 1, 1, 2], [0, 0, 1, 0], [7, 9, 7, 5], [1, 5, 1, 4])
    log, ids = dense_items(log)
    assert ids.tolist() == [5, 7, 9]
    assert log.action[:, 0].tolist() == [1, 2, 1, 0]
    log = with_rewards(log, click=0.2, purchase=1.0)
    np.testing.assert_allclose(log.reward, [0.2, 1.2, 0.2, 1.0])
    for means, within, expected in (
        ("terminated", "visit", [0, 1, 1, 1]),
        ("truncated", "user", [0, 0, 1, 1]),
    ):
        ends = with_ends(log, means, within)
        assert getattr(ends, means).tolist() == [bool(end) for end in expected]
        assert not getattr(ends, "terminated" if means == "truncated" else "truncated").any()
    with pytest.raises(ValueError, match="means: expected 'terminated' or 'truncated', got 'done'"):
        with_ends(log, "done")
    with pytest.raises(ValueError, match="within: expected 'user' or 'visit', got 'day'"):
        next_items(log, 3, 3, "day")


def test_sessions_of_unknown_users_are_the_visits():
    log = shop([1, 1, 2], [0, 0, 1], [7, 9, 5], [1, 1, 1]).with_columns(user_id=None)
    assert next_items(log, 2, 99).history_items.tolist() == [[99, 99], [99, 7], [99, 99]]
    with pytest.raises(MissingColumnError, match=r"log\.user_id"):
        next_items(log, 2, 99, "user")
    assert len(positives(log)) == 3
