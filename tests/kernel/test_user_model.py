"""Affinity, funnel, preferences, session and reward by hand, one user and one step at a time."""

import numba
import numpy as np
import pytest
from scipy import special, stats

from recsim_env import Event
from recsim_env.kernel import affinity, funnel, preferences, reward, session
from recsim_env.truth import item_truth
from tests.small_worlds import fresh_states, small_world

CLICK, LIKE, PURCHASE = int(Event.CLICK), int(Event.LIKE), int(Event.PURCHASE)
WORLD = small_world(4, preferences={"satisfaction_weight": 2.0})


def records(array):
    """Records with their fields as attributes, as the kernel's functions read them without the compiler."""
    return array.view(np.recarray) if numba.config.DISABLE_JIT else array


def one_user(world=WORLD, user=3):
    return records(fresh_states(world, [user])[0])


def items_of(world=WORLD):
    return records(world.items)


def params_of(world=WORLD):
    return records(world.params)[0]


def doubled(vector):
    return np.asarray(vector, np.float64)


@pytest.mark.parametrize("item", [0, 17, 59])
def test_utility_by_hand(item):
    states = one_user()
    states["satiation"] = [0.1, 0.2, 0.3, 0.4]
    record, state = items_of()[item], states[0]
    config = WORLD.config
    by_hand = (
        config.choice.affinity_weight * doubled(state["interest"]) @ doubled(record["embedding"])
        + record["appeal"]
        + state["conformity"] * record["log_popularity"]
        - config.preferences.satiation_weight * state["satiation"][record["topic"]]
        - config.choice.no_click_utility
        + config.preferences.satisfaction_weight * (state["satisfaction"] - 0.5)
    )
    cosine = affinity.match(state["interest"], record)
    assert cosine == pytest.approx(doubled(state["interest"]) @ doubled(record["embedding"]), abs=1e-6)
    outside = affinity.outside_utility(params_of(), state)
    assert affinity.utility(params_of(), state, record, cosine, outside) == pytest.approx(by_hand, abs=1e-5)


def test_the_vectorised_inner_product_has_the_bits_of_the_written_one():
    """Inside the kernel it runs in vector instructions; called from here it runs as it is written."""
    states = records(fresh_states(WORLD, np.arange(20))[0])
    truth = item_truth(WORLD, states)
    for row, state in enumerate(states):
        for item in (0, 31, 59):
            cosine = np.float32(affinity.match(state["interest"], items_of()[item]))
            outside = affinity.outside_utility(params_of(), state)
            alone = affinity.utility(params_of(), state, items_of()[item], cosine, outside)
            assert truth.utility[row, item] == np.float32(alone)


@pytest.mark.parametrize("liked", [False, True])
@pytest.mark.parametrize("item", [1, 40])
def test_funnel_by_hand(item, liked):
    record, state, weights = items_of()[item], one_user()[0], WORLD.config.funnel
    cosine = np.float32(0.3)
    like = special.expit(
        weights.like_bias + weights.like_match * 0.3 + weights.like_quality * record["quality"]
    )
    assert funnel.like_prob(params_of(), record, cosine) == pytest.approx(like, rel=1e-5)
    logit = (
        weights.purchase_bias + weights.purchase_match * 0.3 + weights.purchase_quality * record["quality"]
    )
    logit += weights.purchase_like * liked - state["price_sensitivity"] * np.log(np.float64(record["price"]))
    buy = funnel.purchase_prob(params_of(), state, record, cosine, liked)
    assert buy == pytest.approx(special.expit(logit), rel=1e-5)


def test_marginal_purchase_averages_over_the_like():
    record, state, params = items_of()[5], one_user()[0], params_of()
    cosine = np.float32(-0.2)
    like = funnel.like_prob(params, record, cosine)
    with_like, without = (
        funnel.purchase_prob(params, state, record, cosine, liked) for liked in (True, False)
    )
    marginal = funnel.marginal_purchase_prob(params, state, record, cosine)
    assert marginal == pytest.approx(like * with_like + (1 - like) * without, rel=1e-6)
    assert with_like > without


SLATE = np.array([4, 9, 2, 7])
PULLS = {"pull_click": 0.1, "pull_like": 0.2, "pull_purchase": 0.4}


def one_step(count=80, **sections):
    """(world, states before, after, events, examination) of one slate shown to users in mid-session."""
    choice = {"no_click_utility": -1.0}
    world = small_world(4, "position", **{"choice": choice, **sections})
    before, _ = fresh_states(world, np.arange(count))
    before["satiation"] = np.random.default_rng(0).random((count, 4))
    before["satisfaction"] = np.linspace(0, 1, count)
    after = before.copy()
    world.step(0, after, np.tile(SLATE, (count, 1)))
    events = after["last_events"].copy()
    assert set(np.unique(events)) == {0, CLICK, CLICK | LIKE, CLICK | PURCHASE, CLICK | LIKE | PURCHASE}
    return world, before, after, events, np.arange(1, 5) ** -world.config.choice.position_exponent


@pytest.mark.parametrize("pulls", [PULLS, {"pull_click": 0.8, "pull_like": 0.9, "pull_purchase": 0.7}])
def test_interest_moves_by_the_strongest_event_coordinate_by_coordinate(pulls):
    """By the pulls together at most all the way, and back to taste."""
    world, before, after, events, _ = one_step(preferences={**pulls, "taste_pull": 0.05, "drift_scale": 0.0})
    alpha = np.select(
        [events & PURCHASE > 0, events & LIKE > 0, events > 0],
        [pulls["pull_purchase"], pulls["pull_like"], pulls["pull_click"]],
        0.0,
    )
    alpha = alpha / np.maximum(alpha.sum(axis=1, keepdims=True), 1.0)
    interest, taste = doubled(before["interest"]), doubled(before["taste"])
    moved = (1 - alpha.sum(axis=1, keepdims=True)) * interest + 0.05 * (taste - interest)
    moved += alpha @ doubled(world.items["embedding"][SLATE])
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    np.testing.assert_allclose(after["interest"], moved, atol=2e-6)
    assert (np.ptp(after["interest"] - before["interest"], axis=1) > 1e-3).all()  # no single number was added


def test_interest_drifts_by_its_noise():
    """What the noise adds at right angles to interest has mean 0 and the configured standard deviation."""
    still = {"pull_click": 0.0, "pull_like": 0.0, "pull_purchase": 0.0, "taste_pull": 0.0}
    _, before, after, _, _ = one_step(400, preferences={**still, "drift_scale": 0.05})
    start, end = doubled(before["interest"]), doubled(after["interest"])
    along = (start * end).sum(axis=1, keepdims=True)
    noise = end / along - start  # 7 dimensions at right angles to interest
    assert noise.mean() == pytest.approx(0, abs=4 * 0.05 / np.sqrt(400 * 8))
    assert np.sqrt((noise**2).sum() / (400 * 7)) == pytest.approx(0.05, rel=0.05)


@pytest.mark.parametrize(("shown", "consumed"), [(0.1, 0.3), (0.0, 0.5), (0.7, 0.9)])
def test_satiation_by_hand(shown, consumed):
    rates = {"satiation_recovery": 0.5, "satiation_shown": shown, "satiation_consumed": consumed}
    world, before, after, events, examination = one_step(preferences=rates)
    satiation = doubled(before["satiation"]) * 0.5
    users = np.arange(len(satiation))
    for k, topic in enumerate(world.items["topic"][SLATE]):
        growth = np.minimum(examination[k] * shown + consumed * (events[:, k] > 0), 1.0)
        satiation[users, topic] += growth * (1 - satiation[users, topic])
    np.testing.assert_allclose(after["satiation"], satiation, rtol=1e-5)
    assert after["satiation"].max() <= 1


def test_satisfaction_and_patience_by_hand():
    session = {"step_cost": 2.0, "refund": 0.75, "patience_scale": 20.0}
    world, before, after, events, _ = one_step(preferences={"satisfaction_memory": 0.6}, session=session)
    satisfaction = doubled(before["satisfaction"])
    for k, quality in enumerate(doubled(world.items["quality"][SLATE])):
        satisfaction = np.where(events[:, k] > 0, 0.6 * satisfaction + 0.4 * quality, satisfaction)
    np.testing.assert_allclose(after["satisfaction"], satisfaction, rtol=1e-5)
    engaged = (events > 0).any(axis=1)
    assert 0 < engaged.sum() < len(engaged)
    patience = before["patience"] - 2.0 * (1 - 0.75 * engaged * satisfaction)
    np.testing.assert_allclose(after["patience"], patience, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(after["ended"], after["patience"] <= 0)


def test_history_remembers_what_was_clicked_in_the_order_of_the_slate():
    _, before, after, events, _ = one_step()
    for row in range(len(before)):
        clicked = events[row] > 0
        items = np.concatenate([before["history_items"][row], SLATE[clicked]])[-5:]
        masks = np.concatenate([before["history_events"][row], events[row][clicked]])[-5:]
        np.testing.assert_array_equal(after["history_items"][row], items)
        np.testing.assert_array_equal(after["history_events"][row], masks)


@pytest.mark.parametrize("u", [2.0**-24, 0.1, 0.5, 0.9, 1 - 2.0**-24])
@pytest.mark.parametrize(("scale", "shape"), [(24.0, 2.0), (3.0, 0.8)])
def test_initial_patience_is_the_lomax_quantile(u, scale, shape):
    params = params_of(small_world(4, session={"patience_scale": scale, "patience_shape": shape}))
    quantile = stats.lomax(c=shape, scale=scale).isf(u)
    assert session.initial_patience(params, np.float32(u)) == pytest.approx(quantile, rel=1e-4, abs=1e-5)


def test_patience_is_spent_and_partly_refunded():
    params = params_of(small_world(4, session={"step_cost": 2.0, "refund": 0.75, "boredom_cost": 3.0}))
    ten, half, none = np.float32(10), np.float32(0.5), np.float32(0)
    assert session.spend_patience(params, ten, half, False, none) == pytest.approx(8.0)
    assert session.spend_patience(params, ten, half, True, none) == pytest.approx(10 - 2 * (1 - 0.375))
    assert session.spend_patience(params, ten, half, True, half) == pytest.approx(10 - 2 * (2.5 - 0.375))


def test_boredom_is_the_mean_satiation_of_what_is_looked_at():
    world = small_world(4, session={"boredom_cost": 1.0})
    state, items = one_user(world)[0], items_of(world)
    slate = np.array([5, 17, 40, 41])
    state["satiation"][:] = [0.1, 0.2, 0.4, 0.8]
    examination = np.array([1.0, 0.5, 0.0, 0.0], np.float32)
    topics = items["topic"][slate]
    by_hand = (state["satiation"][topics[0]] + 0.5 * state["satiation"][topics[1]]) / 1.5
    params = params_of(world)
    assert preferences.boredom(params, items, state, slate, examination) == pytest.approx(by_hand)
    free = params_of(small_world(4))
    assert preferences.boredom(free, items, state, slate, examination) == 0


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, -1.0])
def test_the_value_of_a_purchase(exponent):
    world = small_world(4, reward={"purchase": 3.0, "price_exponent": exponent})
    price = float(world.items["price"][8])
    assert reward.purchase_value(params_of(world), items_of(world)[8]) == pytest.approx(
        3.0 * price**exponent, rel=1e-5
    )
