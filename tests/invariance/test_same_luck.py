"""Luck belongs to (seed, user, visit, step, purpose, item), whatever is shown beside an item."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsim_env import Event
from tests.small_worlds import NUM_ITEMS, configs, fresh_states, replicas, small_world, world_of

CLICK, LIKE, PURCHASE = Event.CLICK.value, Event.LIKE.value, Event.PURCHASE.value


def answers(world, states, slates, seed=0):
    """[B, K] events of one step, the states left alone."""
    after = states.copy()
    world.step(seed, after, np.asarray(slates))
    return after["last_events"].copy()


@st.composite
def slates(draw, count):
    return draw(st.lists(st.integers(0, NUM_ITEMS - 1), min_size=count, max_size=count, unique=True))


@settings(max_examples=40)
@given(
    configs(slate_sizes=(4,), models=("logit",)),
    slates(5),
    st.integers(0, 2**44 - 1),
    st.integers(0, 2**64 - 1),
)
def test_logit_exchanging_the_last_item_moves_the_choice_to_or_from_it_only(config, items, user, seed):
    """A slate of three, and two of four that add an item at the end: the old items' events stay.

    A repeat is a blank position: the slate that repeats its first item at the end is the slate of three.
    """
    world = world_of(config)
    states, _ = fresh_states(world, np.full(3, user), seed)
    blank, first, second = ([*items[:3], last] for last in (items[0], items[3], items[4]))
    without, one, other = answers(world, states, [blank, first, second], seed)
    assert without[3] == 0
    for shown in (one, other):
        if shown[3]:
            assert not shown[:3].any()  # the new item took the click, or there was none to take
        else:
            np.testing.assert_array_equal(shown[:3], without[:3])


@settings(max_examples=40)
@given(configs(slate_sizes=(4,), models=("position",)), slates(8), st.integers(0, 2**44 - 1))
def test_position_an_items_events_do_not_depend_on_its_neighbours(config, items, user):
    world = world_of(config)
    states, _ = fresh_states(world, np.full(2, user))
    first, second = answers(world, states, [items[:4], [items[0], *items[5:8]]])
    assert first[0] == second[0]


@settings(max_examples=40)
@given(configs(slate_sizes=(4,), models=("cascade",)), slates(6), st.integers(0, 2**44 - 1))
def test_cascade_what_stands_below_changes_nothing_above(config, items, user):
    world = world_of(config)
    states, _ = fresh_states(world, np.full(2, user))
    first, second = answers(world, states, [items[:4], [*items[:2], *items[4:6]]])
    np.testing.assert_array_equal(first[:2], second[:2])
    if first[:2].any():
        assert not first[2:].any()
        assert not second[2:].any()


@settings(max_examples=40)
@given(
    configs(slate_sizes=(4,), models=("logit", "position")),
    slates(4),
    st.permutations(range(4)),
    st.integers(0, 2**44 - 1),
)
def test_luck_follows_the_item_to_another_position(config, items, order, user):
    """Where every position is examined, shuffling a slate shuffles its events."""
    world = world_of(config.replace(choice={"position_exponent": 0.0}))
    states, _ = fresh_states(world, np.full(2, user))
    straight, shuffled = answers(world, states, [items, [items[k] for k in order]])
    np.testing.assert_array_equal(shuffled, straight[list(order)])


@pytest.mark.parametrize("changed", ["seed", "user_id", "visit", "step", "item"])
def test_every_part_of_the_key_changes_the_luck_of_a_step(changed):
    """The same user in the same state, with one part of the key another."""
    world = small_world(4, "position", catalog={"topic_spread": 0.0, "appeal_scale": 0.0, "num_topics": 4})
    states = replicas(world, fresh_states(world, [1])[0], 400)
    twins, seed = states.copy(), 0
    slate = np.tile([3, 1, 4, 15], (400, 1))
    before = answers(world, states, slate)
    if changed == "seed":
        seed = 2**33
    elif changed == "item":
        slate = slate + 20
    else:
        twins[changed] += 2**33 if changed == "user_id" else 1
    after = answers(world, twins, slate, seed)
    agreement = ((before > 0) == (after > 0)).mean()
    assert agreement < 0.9  # independent draws of clicks with probabilities well inside (0, 1)


def certain(**weights):
    return {"funnel": {"like_match": 0.0, "like_quality": 0.0, "purchase_like": 0.0, **weights}}


@pytest.mark.parametrize("model", ["logit", "cascade", "position"])
def test_no_draw_is_skipped_when_a_probability_is_0_or_1(model):
    """Never or always liking leaves clicks, purchases and the next steps' luck alone."""
    events, interests = [], []
    for bias in (-60.0, 0.0, 60.0):
        pulls = {"pull_click": 0.0, "pull_like": 0.0, "pull_purchase": 0.0}
        world = small_world(4, model, preferences=pulls, **certain(like_bias=bias))
        states = replicas(world, fresh_states(world, [1])[0], 500)
        shown = np.tile([3, 1, 4, 15], (500, 1))
        world.step(0, states, shown)
        world.step(0, states, shown + 10)
        events.append(states["last_events"].copy())
        interests.append(states["interest"].copy())
    for other, interest in zip(events[1:], interests[1:], strict=True):
        np.testing.assert_array_equal(other & (CLICK | PURCHASE), events[0])
        np.testing.assert_array_equal(interest, interests[0])
    assert not (events[0] & LIKE).any()
    np.testing.assert_array_equal((events[2] & LIKE) > 0, (events[2] & CLICK) > 0)


def test_a_user_who_never_clicks_drifts_as_one_who_always_does():
    """Interest noise is the step's own: without pulls it does not depend on the answers."""
    preferences = {"pull_click": 0.0, "pull_like": 0.0, "pull_purchase": 0.0, "drift_scale": 0.1}
    interests = []
    for threshold in (-60.0, 60.0):
        world = small_world(4, choice={"no_click_utility": threshold}, preferences=preferences)
        states, _ = fresh_states(world, np.arange(30))
        for _ in range(3):
            outcomes, _ = world.step(0, states, np.tile([3, 1, 4, 15], (30, 1)))
        assert (outcomes["clicks"] > 0).all() == (threshold < 0)
        interests.append(states["interest"])
    np.testing.assert_array_equal(*interests)


def test_what_happened_to_one_row_does_not_reach_another():
    world = small_world(4)
    states, _ = fresh_states(world, np.arange(20))
    idle = np.arange(20) % 2 == 0
    both, half = states.copy(), states.copy()
    shown = np.tile([3, 1, 4, 15], (20, 1))
    all_outcomes, _ = world.step(0, both, shown)
    outcomes, observation = world.step(0, half, shown, idle=idle)
    np.testing.assert_array_equal(half[~idle], both[~idle])
    np.testing.assert_array_equal(outcomes[~idle], all_outcomes[~idle])
    np.testing.assert_array_equal(half[idle], states[idle])
    assert not outcomes["reward"][idle].any()
    np.testing.assert_array_equal(observation.session_step[:, 0], ~idle)
