"""Stylised facts on logs small enough to work out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from recsim_env.metrics import HEAD_RANKS, FactSheet
from recsim_env.metrics.click_facts import ClickPopularity, PositionClicks, Repeats
from recsim_env.metrics.facts import Funnel, ReturnGaps, SessionLengths, wilson_interval
from tests.metrics.impression_batches import Batch, random_batches

TOPIC = np.array([0, 0, 1, 1])
CLICK, LIKE, BUY = 1, 2, 4


def hand_log():
    """Users 7 (three steps, then gone) and 9 (one step, cut by the horizon), slates of two of four items.

    User 7 clicks item 0 and likes it, then item 1 of the same topic and buys it, then item 0 again and
    item 2.
    """
    steps = [
        ([7, 9], [0, 0], [[0, 2], [3, 2]], [[CLICK | LIKE, 0], [0, CLICK]], [False, False], [False, True]),
        ([7], [1], [[1, 3]], [[CLICK | BUY, 0]], [False], [False]),
        ([7], [2], [[0, 2]], [[CLICK, CLICK]], [True], [False]),
    ]
    for user, step, action, events, terminated, truncated in steps:
        yield Batch(
            user_id=np.array(user),
            step=np.array(step),
            action=np.array(action),
            events=np.array(events, np.uint8),
            reward=np.zeros(len(user)),
            revenue=np.zeros(len(user)),
            terminated=np.array(terminated),
            truncated=np.array(truncated),
            visit_ended=np.array(terminated),
            observation={},
        )


def values(facts):
    return {name: fact.value for name, fact in facts.items()}


def test_a_log_by_hand():
    sheet = FactSheet(popularity_clicks=4)
    for batch in hand_log():
        sheet.update(batch, TOPIC)
    result = sheet.result()
    assert values(result) == pytest.approx(
        {
            "click_per_impression": 5 / 8,
            "click_per_step": 1.0,
            "like_per_click": 1 / 5,
            "purchase_per_click": 1 / 5,
            "session_length_p25": 1,
            "session_length_p50": 1,
            "session_length_p75": 3,
            "session_length_p99": 3,
            "session_length_mean": 2.0,
            "session_length_is_1": 1 / 2,
            "continue_1": 1.0,  # user 9 was cut at depth 1, which says nothing of going on
            "continue_2": 1.0,
            "position_exponent": np.log(3 / 2) / np.log(2),  # 3 clicks at the top, 2 below
            "item_repeat": 1 / 5,
            "topic_repeat": 2 / 5,
        }
    )
    assert result["click_per_impression"].num_observations == 8
    assert result["purchase_per_click"].num_observations == 5
    assert result["continue_1"].num_observations == 1
    np.testing.assert_allclose(sheet.positions.relative_rates(), [1, 2 / 3])
    np.testing.assert_array_equal(
        sheet.popularity.counts(), [2, 1, 1]
    )  # items 0, 2, 1, 0; the fifth is left out


def test_users_are_forgotten_once_they_are_gone():
    sheet = FactSheet()
    for batch in hand_log():
        sheet.update(batch, TOPIC)
    assert sheet.repeats._items == sheet.repeats._topics == {}


def test_streamed_equals_the_definition_over_users():
    batches = list(random_batches(np.random.default_rng(3)))
    topic = np.arange(30) % 4
    sheet = FactSheet()
    for batch in batches:
        sheet.update(batch, topic)
    clicks, lengths, cut = {}, {}, {}
    for batch in batches:
        for i, user in enumerate(batch.user_id):
            clicks.setdefault(user, []).extend(batch.action[i, (batch.events[i] & CLICK) != 0].tolist())
            lengths[user] = batch.step[i] + 1
            cut[user] = batch.truncated[i]
    repeats = sum(len(own) - len(set(own)) for own in clicks.values())
    topics = sum(len(own) - len({item % 4 for item in own}) for own in clicks.values())
    total = sum(map(len, clicks.values()))
    result = values(sheet.result())
    assert repeats > 0
    assert result["item_repeat"] == pytest.approx(repeats / total)
    assert result["topic_repeat"] == pytest.approx(topics / total)
    beyond = sum(length > 2 for length in lengths.values())
    stopped = sum(length == 2 and not cut[user] for user, length in lengths.items())
    assert result["continue_2"] == pytest.approx(beyond / (beyond + stopped))
    assert result["session_length_mean"] == pytest.approx(np.mean(list(lengths.values())))


def test_wilson_interval_by_hand():
    # 8 of 10: centre (0.8 + 0.19207) / 1.38415, half width sqrt(0.016 + 0.0096036) * 1.95996 / 1.38415
    assert wilson_interval(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-6)
    lower, upper = wilson_interval(0, 10)
    assert lower == 0.0
    assert upper == pytest.approx(1.959964**2 / (10 + 1.959964**2))
    assert wilson_interval(10, 10) == pytest.approx((1 - upper, 1.0))


def test_session_lengths_by_hand():
    sessions = SessionLengths()
    sessions.add([1, 1, 2, 5])
    sessions.add([])
    sessions.add([2, 3], cut=[True, False])
    assert sessions.continue_prob(1)[:2] == (4 / 6, 6)
    assert sessions.continue_prob(2)[:2] == (
        2 / 3,
        3,
    )  # beyond: 5 and 3; ended at 2: one; cut at 2: not counted
    assert sessions.continue_prob(5)[:2] == (0.0, 1)
    assert sessions.continue_prob(6) is None
    assert [sessions.quantile(q) for q in (1 / 6, 2 / 6, 0.34, 4 / 6, 1.0)] == [1, 1, 2, 2, 5]
    assert values(sessions.facts())["session_length_is_1"] == pytest.approx(2 / 6)
    with pytest.raises(ValueError, match="at least 1 step, got 0"):
        sessions.add([3, 0])


def test_the_slope_of_an_exact_power_law():
    counts = np.round(50_000 * np.arange(1, 3 * HEAD_RANKS + 1) ** -0.6).astype(np.int64)
    counts[HEAD_RANKS:] = 1  # what comes after the head has no influence
    items = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)) * 7, counts))
    popularity = ClickPopularity(len(items))
    for piece in np.array_split(items, 10):
        popularity.add(piece)
    popularity.add(np.zeros(1_000_000, np.int64))  # beyond the first M
    facts = popularity.facts()
    assert facts["head_slope"].value == pytest.approx(0.6, abs=1e-3)
    assert facts["head_slope"].num_observations == len(items)


def test_the_gini_of_clicks_leaves_out_what_nobody_clicked():
    popularity = ClickPopularity(4 * HEAD_RANKS)
    popularity.add(np.repeat(np.arange(HEAD_RANKS), 4) + 10**9)
    assert popularity.facts()["click_gini"].value == pytest.approx(0.0)
    assert popularity.facts()["head_slope"].value == pytest.approx(0.0)


def test_too_few_clicks_give_no_popularity():
    popularity = ClickPopularity(1_000)
    popularity.add(np.arange(999))
    assert popularity.facts() == {}


def test_the_exponent_of_an_exact_position_curve():
    clicked = np.zeros((10_000, 5), np.bool_)
    for k in range(4):  # 8,000 / (k + 1); the last position has none and is left out
        clicked[: 8_000 // (k + 1), k] = True
    positions = PositionClicks()
    positions.add(clicked[:5_000])
    positions.add(clicked[5_000:])
    np.testing.assert_allclose(positions.relative_rates(), [1, 1 / 2, 1 / 3, 1 / 4, 0], atol=1e-4)
    assert positions.facts()["position_exponent"].value == pytest.approx(1.0, abs=1e-4)


def test_repeats_across_sessions_until_forgotten():
    repeats = Repeats()
    users, items = np.array([1, 2, 1]), np.array([5, 5, 5])
    repeats.add(users, items, items)
    assert repeats.facts()["item_repeat"].value == pytest.approx(1 / 3)
    repeats.add(np.array([1]), np.array([5]), np.array([5]))
    repeats.forget([1, 3])
    repeats.add(np.array([1, 2]), np.array([5, 5]), np.array([5, 5]))
    assert repeats.facts()["item_repeat"][:2] == pytest.approx((3 / 6, 6))


def test_what_a_log_does_not_hold_is_left_out():
    assert FactSheet().result() == {}
    funnel = Funnel()
    funnel.clicks, funnel.carts = 4, 1
    assert values(funnel.facts()) == {
        "like_per_click": 0.0,
        "cart_per_click": 0.25,
        "purchase_per_click": 0.0,
    }
    assert np.isnan(PositionClicks().relative_rates()).all()


def test_return_gaps():
    gaps = ReturnGaps()
    gaps.add([1.0, 3.0])
    gaps.add([2.0])
    assert values(gaps.facts()) == {"return_gap_p25": 1.5, "return_gap_p50": 2.0, "return_gap_p75": 2.5}


def test_several_clicks_in_one_step_count_the_step_once():
    batch = SimpleNamespace(
        user_id=np.array([1, 2]),
        step=np.zeros(2, np.int64),
        action=np.array([[0, 1], [2, 3]]),
        events=np.array([[1, 1], [0, 0]], np.uint8),
        terminated=np.array([True, True]),
        truncated=np.array([False, False]),
        visit_ended=np.array([True, True]),
        observation={},
    )
    sheet = FactSheet()
    sheet.update(batch, TOPIC)
    assert values(sheet.result())["click_per_step"] == 0.5
    assert values(sheet.result())["click_per_impression"] == 0.5
