"""Affinity, funnel, preferences, session and reward by hand, one user and one step at a time."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from recsim_env import Event
from recsim_env.kernel import affinity, funnel, preferences, reward, session
from recsim_env.truth import item_truth
from tests.small_worlds import fresh_states, small_world

CLICK, LIKE, PURCHASE = int(Event.CLICK), int(Event.LIKE), int(Event.PURCHASE)
WORLD = small_world(4)


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
    )
    cosine = affinity.match(state["interest"], record)
    assert cosine == pytest.approx(doubled(state["interest"]) @ doubled(record["embedding"]), abs=1e-6)
    assert affinity.utility(params_of(), state, record, cosine) == pytest.approx(by_hand, abs=1e-5)


def test_the_vectorised_inner_product_has_the_bits_of_the_written_one():
    """Inside the kernel it runs in vector instructions; called from here it runs as it is written."""
    states = records(fresh_states(WORLD, np.arange(20))[0])
    truth = item_truth(WORLD, states)
    for row, state in enumerate(states):
        for item in (0, 31, 59):
            cosine = np.float32(affinity.match(state["interest"], items_of()[item]))
            alone = affinity.utility(params_of(), state, items_of()[item], cosine)
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


@pytest.mark.parametrize(
    ("events", "alpha"),
    [(0, 0.0), (CLICK, 0.1), (CLICK | LIKE, 0.2), (CLICK | PURCHASE, 0.4), (CLICK | LIKE | PURCHASE, 0.4)],
)
def test_interest_moves_by_the_strongest_event_coordinate_by_coordinate(events, alpha):
    pulls = {
        "pull_click": 0.1,
        "pull_like": 0.2,
        "pull_purchase": 0.4,
        "taste_pull": 0.05,
        "drift_scale": 0.03,
    }
    world = small_world(4, preferences=pulls)
    states = one_user(world)
    before = doubled(states["interest"][0])
    noise = np.linspace(-1, 1, 8).astype(np.float32)
    slate, masks = np.array([4, 9, 2, 7]), np.array([0, events, 0, 0], np.uint8)
    preferences.drift_interest(params_of(world), items_of(world), states[0], slate, masks, noise)
    embedding, taste = doubled(world.items["embedding"][9]), doubled(states["taste"][0])
    expected = (1 - alpha) * before + alpha * embedding + 0.05 * (taste - before) + 0.03 * noise
    expected /= np.linalg.norm(expected)
    np.testing.assert_allclose(states["interest"][0], expected, atol=1e-6)
    assert len(np.unique(states["interest"][0] - before)) == 8  # a vector moved, not a mean of it


def test_pulls_that_exceed_one_together_are_scaled_down():
    world = small_world(4, preferences={"pull_click": 0.8, "taste_pull": 0.0, "drift_scale": 0.0})
    states, slate = one_user(world), np.array([4, 9, 2, 7])
    masks = np.array([CLICK, CLICK, 0, 0], np.uint8)
    preferences.drift_interest(
        params_of(world), items_of(world), states[0], slate, masks, np.zeros(8, np.float32)
    )
    middle = doubled(world.items["embedding"][[4, 9]]).sum(axis=0)
    np.testing.assert_allclose(states["interest"][0], middle / np.linalg.norm(middle), atol=1e-6)


def test_satiation_by_hand():
    rates = {"satiation_recovery": 0.5, "satiation_shown": 0.1, "satiation_consumed": 0.3}
    world = small_world(4, preferences=rates)
    states = one_user(world)
    topics = world.items["topic"]
    first, second = (np.flatnonzero(topics == topic)[0] for topic in (0, 1))
    again = np.flatnonzero(topics == 0)[1]
    states["satiation"] = [0.4, 0.6, 0.8, 1.0]
    slate, masks = np.array([first, second, again, first]), np.array([0, CLICK, 0, 0], np.uint8)
    examination = np.array([1.0, 0.5, 0.25, 0.0], np.float32)
    preferences.satiate(params_of(world), items_of(world), states[0], slate, masks, examination)
    topic_0 = 0.2 + 0.1 * (1 - 0.2)
    topic_0 += 0.025 * (1 - topic_0)
    topic_1 = 0.3 + (0.05 + 0.3) * (1 - 0.3)
    np.testing.assert_allclose(states["satiation"][0], [topic_0, topic_1, 0.4, 0.5], rtol=1e-6)


@given(
    st.fixed_dictionaries(
        {name: st.floats(0, 1) for name in ("satiation_recovery", "satiation_shown", "satiation_consumed")}
    ),
    st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4),
    st.lists(st.sampled_from([0, 1, 3, 5, 7]), min_size=4, max_size=4),
)
def test_satiation_stays_within_its_range_and_rises_where_shown(rates, satiation, events):
    world = small_world(4, preferences=rates)
    states, slate = one_user(world), np.array([0, 1, 2, 3])
    states["satiation"] = satiation
    examination = params_of(world)["examination"]
    preferences.satiate(
        params_of(world), items_of(world), states[0], slate, np.array(events, np.uint8), examination
    )
    after = states["satiation"][0]
    recovered = np.float32(rates["satiation_recovery"]) * np.array(satiation, np.float32)
    assert ((after >= 0) & (after <= 1)).all()
    assert (after >= recovered).all()


def test_satisfaction_averages_the_quality_of_what_was_clicked():
    world = small_world(4, preferences={"satisfaction_memory": 0.6})
    states, slate = one_user(world), np.array([4, 9, 2, 7])
    states["satisfaction"] = 0.5
    masks = np.array([0, CLICK, 0, CLICK | LIKE], np.uint8)
    preferences.satisfy(params_of(world), items_of(world), states[0], slate, masks)
    quality = doubled(world.items["quality"])
    expected = 0.6 * (0.6 * 0.5 + 0.4 * quality[9]) + 0.4 * quality[7]
    assert states["satisfaction"][0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("u", [2.0**-24, 0.1, 0.5, 0.9, 1 - 2.0**-24])
@pytest.mark.parametrize(("scale", "shape"), [(24.0, 2.0), (3.0, 0.8)])
def test_initial_patience_is_the_lomax_quantile(u, scale, shape):
    params = params_of(small_world(4, session={"patience_scale": scale, "patience_shape": shape}))
    quantile = stats.lomax(c=shape, scale=scale).isf(u)
    assert session.initial_patience(params, np.float32(u)) == pytest.approx(quantile, rel=1e-4, abs=1e-5)


def test_patience_is_spent_and_partly_refunded():
    params = params_of(small_world(4, session={"step_cost": 2.0, "refund": 0.75}))
    half = np.float32(0.5)
    assert session.spend_patience(params, np.float32(10), half, False) == pytest.approx(8.0)
    assert session.spend_patience(params, np.float32(10), half, True) == pytest.approx(10 - 2 * (1 - 0.375))


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, -1.0])
def test_the_value_of_a_purchase(exponent):
    world = small_world(4, reward={"purchase": 3.0, "price_exponent": exponent})
    price = float(world.items["price"][8])
    assert reward.purchase_value(params_of(world), items_of(world)[8]) == pytest.approx(
        3.0 * price**exponent, rel=1e-5
    )
