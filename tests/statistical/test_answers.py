"""What users answer, as often as the closed form says: clicks, likes, purchases, rewards."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from recsim_env import Event, World
from recsim_env.truth import item_truth, slate_truth
from tests.small_worlds import MODELS, configs, fresh_states, replicas, small_config, small_world, world_of
from tests.statistical.reference import ALPHA, SIGMAS, click_law, funnel_law, value_law

CLICK, LIKE, PURCHASE = Event.CLICK.value, Event.LIKE.value, Event.PURCHASE.value
COUNT = 40_000
SLATE = np.array([8, 21, 3, 50])


def one_state(world, user=2):
    """A user in the middle of a session: satiated here and there, satisfied, with a drifted interest."""
    states, _ = fresh_states(world, [user], seed=5)
    states["satiation"] = [0.0, 0.3, 0.1, 0.8]
    return states


def answers(world, states, slate=SLATE, seed=0):
    """Events [COUNT, K] and outcomes of the same user with independent luck."""
    many = replicas(world, states, COUNT)
    outcomes, _ = world.step(seed, many, np.tile(slate, (COUNT, 1)))
    return many["last_events"], outcomes


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("model", ["logit", "cascade"])
def test_one_click_or_none(model, seed):
    world = small_world(4, model)
    states = one_state(world)
    events, _ = answers(world, states, seed=seed)
    clicked = (events & CLICK) > 0
    assert clicked.sum(axis=1).max() == 1
    law = click_law(world.config, world.items, states[0], SLATE)
    observed = np.append(clicked.sum(axis=0), COUNT - clicked.sum())
    assert stats.chisquare(observed, np.append(law, 1 - law.sum()) * COUNT).pvalue > ALPHA


@pytest.mark.parametrize("seed", [0, 1])
def test_position_every_combination_of_clicks(seed):
    world = small_world(4, "position")
    states = one_state(world)
    events, _ = answers(world, states, seed=seed)
    law = click_law(world.config, world.items, states[0], SLATE)
    combination = ((events & CLICK) > 0) @ (1 << np.arange(4))
    patterns = (np.arange(16)[:, None] >> np.arange(4)) & 1
    expected = np.prod(np.where(patterns, law, 1 - law), axis=1) * COUNT
    assert expected.min() > 5
    assert stats.chisquare(np.bincount(combination, minlength=16), expected).pvalue > ALPHA


@pytest.mark.parametrize("model", MODELS)
def test_one_item_alone(model):
    world = small_world(1, model)
    states = one_state(world)
    events, _ = answers(world, states, SLATE[:1])
    (law,) = click_law(world.config, world.items, states[0], SLATE[:1])
    assert 0.1 < law < 0.9
    assert stats.binomtest(int((events > 0).sum()), COUNT, law).pvalue > ALPHA


def test_examination_falls_with_the_position_as_the_power_law_says():
    """The same item in each of the four positions; the others hardly attract."""
    exponent = 0.66
    world = small_world(4, "position", choice={"position_exponent": exponent})
    states = one_state(world)
    item = int(np.argmax(item_truth(world, states).utility[0]))
    counts = []
    for position in range(4):
        slate = np.roll([item, *(other for other in SLATE if other != item)][:4], position)
        events, _ = answers(world, states, slate, seed=position)
        counts.append((events[:, position] > 0).sum())
    attraction = click_law(world.config, world.items, states[0], np.array([item, 1, 2, 4]))[0]
    expected = attraction * np.arange(1, 5) ** -exponent
    for count, law in zip(counts, expected, strict=True):
        assert stats.binomtest(int(count), COUNT, law).pvalue > ALPHA


def test_cascade_the_unclicked_user_examines_position_k_with_probability_e_k():
    """Nothing but the last item can be clicked, and it always is when seen."""
    choice = {"affinity_weight": 0.0, "position_exponent": 0.66, "no_click_utility": 0.0}
    world = World(small_config(4, "cascade", choice=choice))  # one of its own, whose items may be changed
    world.items["appeal"] = -60.0
    world.items["appeal"][SLATE[3]] = 60.0
    states = one_state(world)
    states["conformity"] = 0.0
    events, _ = answers(world, states)
    assert stats.binomtest(int((events[:, 3] > 0).sum()), COUNT, 4**-0.66).pvalue > ALPHA
    assert not events[:, :3].any()


@pytest.mark.parametrize("model", MODELS)
def test_the_funnel_stage_by_stage(model):
    world = small_world(4, model, funnel={"purchase_bias": 1.0})
    states = one_state(world)
    events, _ = answers(world, states)
    like, purchase, purchase_liked = funnel_law(world.config, world.items, states[0], SLATE)
    for k in range(4):
        clicked = events[events[:, k] > 0, k]
        liked = (clicked & LIKE) > 0
        bought = (clicked & PURCHASE) > 0
        stages = ((liked, like[k]), (bought[~liked], purchase[k]), (bought[liked], purchase_liked[k]))
        for happened, law in stages:
            assert len(happened) > 200
            assert stats.binomtest(int(happened.sum()), len(happened), law).pvalue > ALPHA
    assert not (events[(events & CLICK) == 0]).any()


@pytest.mark.parametrize("exponent", [0.0, 1.0])
@pytest.mark.parametrize("model", MODELS)
def test_the_mean_reward_is_the_expected_reward(model, exponent):
    rewards = {"click": 0.3, "like": 0.7, "purchase": 1.5, "price_exponent": exponent}
    world = small_world(4, model, reward=rewards)
    states = one_state(world)
    _, outcomes = answers(world, states)
    expected = slate_truth(world, states, SLATE[None]).expected_reward[0]
    law = click_law(world.config, world.items, states[0], SLATE)
    by_hand = (law * value_law(world.config, world.items, states[0], SLATE)).sum()
    assert expected == pytest.approx(by_hand, rel=1e-5)
    error = outcomes["reward"].std() / np.sqrt(COUNT)
    assert abs(outcomes["reward"].mean() - expected) < SIGMAS * error


@pytest.mark.parametrize("model", MODELS)
def test_the_outcome_is_made_of_the_events(model):
    weights = {"click": 0.25, "like": 0.5, "purchase": 1.5, "price_exponent": 0.5}
    world = small_world(4, model, reward=weights)
    events, outcomes = answers(world, one_state(world))
    counts = {
        name: ((events & bit) > 0).sum(axis=1)
        for name, bit in zip(("clicks", "likes", "purchases"), (CLICK, LIKE, PURCHASE), strict=True)
    }
    for name, count in counts.items():
        np.testing.assert_array_equal(outcomes[name], count)
    prices = world.items["price"][SLATE].astype(float)
    bought = (events & PURCHASE) > 0
    np.testing.assert_allclose(outcomes["revenue"], bought @ prices, rtol=1e-6)
    by_hand = 0.25 * counts["clicks"] + 0.5 * counts["likes"] + 1.5 * (bought @ np.sqrt(prices))
    np.testing.assert_allclose(outcomes["reward"], by_hand, rtol=1e-5)


@settings(max_examples=40)
@given(configs(slate_sizes=(4,)), st.integers(0, 10_000))
def test_the_closed_form_in_random_worlds(config, user):
    """Truth against double precision, for a random user of a random world."""
    world = world_of(config)
    states, _ = fresh_states(world, [user])
    truth = slate_truth(world, states, SLATE[None])
    law = click_law(config, world.items, states[0], SLATE)
    like, without, with_like = funnel_law(config, world.items, states[0], SLATE)
    np.testing.assert_allclose(truth.click_prob[0], law, rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(truth.like_prob[0], like, rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(
        truth.purchase_prob[0], like * with_like + (1 - like) * without, rtol=2e-3, atol=1e-5
    )
